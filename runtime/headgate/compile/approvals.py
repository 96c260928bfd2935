"""Whether a tool may be called: the policies of `[approvals]`, folded once into the layers of each agent."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from headgate.compile.policies import ApprovalPolicy
from headgate.compile.rulings import STRICTNESS, Case, Policy, Ruling, UnknownOutcome
from headgate.compile.specs import Agent
from headgate.core.glob import covers

FREE = frozenset({"read_result"})
"""Built-in tools that no policy covers: they show nothing but what a call of the same run has answered."""

Rule = tuple[Policy, tuple[str, ...]]
"""A policy and the globs of the tools that it covers."""


class Layer:
    """Policies in order. Which of them cover a tool is worked out when the tool is first asked for."""

    def __init__(self, rules: Iterable[Rule] = ()) -> None:
        self._rules = tuple(rules)
        self._covering: dict[str, tuple[Policy, ...]] = {}

    def covering(self, tool: str) -> tuple[Policy, ...]:
        """The policies that cover the tool of this name; the first of them that is about the call decides."""
        found = self._covering.get(tool)
        if found is None:
            held = () if tool in FREE else self._rules
            found = tuple(policy for policy, globs in held if any(covers(each, tool) for each in globs))
            self._covering[tool] = found
        return found


class Approvals:
    """The policies of one agent: layers from the outermost in, and those that its profiles add."""

    def __init__(self, layers: Iterable[Layer] = (), profiles: Mapping[str, Layer] | None = None) -> None:
        self._layers = tuple(layers)
        self._profiles = dict(profiles or {})

    def under(self, profiles: Iterable[str]) -> Approvals:
        """The policies with those of the profiles as further layers."""
        added = [self._profiles[name] for name in profiles if name in self._profiles]
        return Approvals((*self._layers, *added), self._profiles) if added else self

    def possible(self, tool: str) -> list[list[Policy]]:
        """The policies of each layer that may decide there about the tool of this name: those from the first on, up to
        one that counts for every call. Outermost layer first; a layer that has none is left out."""
        found = [list(_reached(layer.covering(tool))) for layer in self._layers]
        return [each for each in found if each]

    def ruling(self, case: Case, /) -> Ruling:
        """What becomes of a call: the strictest of the layers counts, the outer one where they agree; of those that
        ask, the one that demands most."""
        deciding, watched = list[Policy](), list[Policy]()
        for layer in self._layers:
            for policy in layer.covering(case.tool.name):
                if not policy.holds(case):
                    continue
                if policy.mode == "enforce":
                    deciding.append(policy)
                    break
                watched.append(policy)
        return _ruled(deciding, watched, case)

    def unknown_outcome(self, case: Case, /) -> tuple[UnknownOutcome, Policy | None]:
        """What to do about a call of which nobody knows whether it was made, and the policy whose approvers may answer.

        The first policy of a layer that states it decides there, and across the layers asking is stricter; a condition
        without an answer counts for asking. Where none states it, a person is asked about destructive tools: one who
        might have approved the call, if it needed that.
        """
        stated = [
            found for layer in self._layers if (found := _stated(layer.covering(case.tool.name), case)) is not None
        ]
        if stated:
            return next((each for each in stated if each[0] == "ask"), stated[0])
        if not case.tool.annotations.destructive:
            return "tell_model", None
        ruling = self.ruling(case)
        return "ask", ruling.policy if ruling.decide == "ask" else None


def _stated(policies: Iterable[Policy], case: Case) -> tuple[UnknownOutcome, Policy] | None:
    """What the first policy says that states what becomes of a call whose outcome is not known."""
    for policy in policies:
        how = policy.on_unknown_outcome if policy.mode == "enforce" else None
        if how is not None and policy.holds(case, failed=how == "ask"):
            return how, policy
    return None


def _reached(policies: Iterable[Policy]) -> Iterator[Policy]:
    for policy in policies:
        yield policy
        if policy.when is None and policy.mode == "enforce" and policy.team is None:
            return


def _ruled(deciding: list[Policy], watched: list[Policy], case: Case) -> Ruling:
    policy, asking = strictest(deciding), tuple[Policy, ...]()
    decide = policy.decide if policy is not None else "allow"
    if decide == "ask":
        held = (each for each in deciding if each.decide == "ask")
        asking = tuple(sorted(held, key=lambda each: each.demand, reverse=True))
        policy = asking[0]
    stricter = tuple(each for each in watched if STRICTNESS[each.decide] > STRICTNESS[decide])
    return Ruling(decide, policy, policy.qualified(case) if policy is not None else None, stricter, asking)


def strictest(policies: Iterable[Policy]) -> Policy | None:
    """The policy that wins across layers: of those that agree, the first."""
    return max(policies, key=lambda each: STRICTNESS[each.decide], default=None)


NO_POLICIES = Approvals()
"""Everything is allowed."""


class Book:
    """All policies of a gateway, from which each agent takes its own; the gateway's layers are shared by all."""

    def __init__(
        self, policies: Mapping[str, ApprovalPolicy], files: Mapping[str, str] | None = None,
        teams: Mapping[str, str] | None = None,
    ) -> None:  # fmt: skip
        """`files` says where policies stand, each file being a layer; `teams` for whose sessions alone they hold."""
        whose, where = teams or {}, files or {}
        self._rules = {name: (_policy(name, each, whose.get(name)), each.tools) for name, each in policies.items()}
        self._named = frozenset(name for name, each in policies.items() if each.apply == "named")
        held: dict[str, list[Rule]] = {}
        for name, rule in self._rules.items():
            if name not in self._named:
                held.setdefault(where.get(name, ""), []).append(rule)
        self._gateway = tuple(map(Layer, held.values()))

    def of(self, agent: Agent) -> Approvals:
        """The policies of an agent."""
        profiles = {name: self._layer(each.approvals) for name, each in agent.profiles.items() if each.approvals}
        own = [self._layer(agent.approvals)] if agent.approvals else []
        return Approvals((*self._gateway, *own), profiles)

    def _layer(self, names: Iterable[str]) -> Layer:
        """The named policies in the order of the names; the others hold for everybody anyway."""
        return Layer(self._rules[name] for name in names if name in self._named)


def _policy(name: str, spec: ApprovalPolicy, team: str | None) -> Policy:
    return Policy(
        name=name,
        decide=spec.decide,
        remember=spec.remember == "session",
        timeout=spec.timeout,
        approvers=spec.approvers,
        quorum=spec.quorum,
        on_unknown_outcome=spec.on_unknown_outcome,
        when=spec.when,
        qualifier=spec.qualifier,
        mode=spec.mode,
        team=team,
    )
