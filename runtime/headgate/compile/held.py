"""Which tools of an agent are held or refused, by which policies, and where these stand: for `headgate explain`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from headgate.compile.books import book_of
from headgate.compile.draft import AgentSource, Draft
from headgate.compile.rulings import STRICTNESS, Policy
from headgate.compile.specs import Agent
from headgate.core.kind import Key

_VERBS = ("may be called", "is held until somebody answers", "is refused")
"""By strictness."""


def held_tools(draft: Draft, agent: AgentSource, tools: Iterable[str]) -> Iterator[str]:
    """A sentence for each of the tools that a policy covers, and one for each profile that adds a policy to it."""
    if draft.gateway is None or agent.spec is None:
        return
    own = book_of(draft).of(agent.spec)
    for tool in tools:
        first = own.possible(tool)
        yield from _sentence(_Places(draft, agent, agent.spec), tool, first)
        for profile in agent.spec.profiles:
            with_profile = own.under([profile]).possible(tool)
            if len(with_profile) > len(first):
                yield from _sentence(_Places(draft, agent, agent.spec, profile), tool, with_profile)


@dataclass(frozen=True, slots=True)
class _Places:
    """Where the policies of an agent are brought in, with a profile if there is one."""

    draft: Draft
    agent: AgentSource
    spec: Agent
    profile: str | None = None

    def of(self, policy: Policy, *, last: bool) -> str:
        """Where the policy is declared, or where the agent or the profile names it."""
        gateway, site = self.draft.gateway, self.draft.gateway_site
        if gateway is not None and site is not None and gateway.approvals[policy.name].apply == "all":
            return site.place(("approvals", policy.name))
        return self.agent.site.value_place(self._naming(policy.name, last=last))

    def _naming(self, name: str, *, last: bool) -> Key:
        """The key where the agent names the policy, or the profile, whose layer is the last."""
        if self.profile is not None and last:
            return "profiles", self.profile, "approvals", self.spec.profiles[self.profile].approvals.index(name)
        return "approvals", self.spec.approvals.index(name)


def _sentence(places: _Places, tool: str, layers: list[list[Policy]]) -> Iterator[str]:
    """What becomes of a call, and what each layer says, from the outermost in."""
    if not layers:
        return
    end = len(layers) - 1
    said = [
        f"approvals.{each.name} ({places.of(each, last=index == end)}) {_word(each)}"
        for index, layer in enumerate(layers)
        for each in layer
    ]
    under = f" under profile {places.profile}" if places.profile is not None else ""
    yield f"{tool} {_verb(layers)}{under}: {', '.join(said)}"


def _verb(layers: list[list[Policy]]) -> str:
    """What becomes of every call, if that is the same of all."""
    counting = [[each for each in layer if each.mode == "enforce"] for layer in layers]
    most = max((STRICTNESS[each.decide] for layer in counting for each in layer), default=0)
    least = max(map(_least, counting), default=0)
    return _VERBS[most] if most == least else "is decided call by call"


def _least(layer: list[Policy]) -> int:
    """How strict the layer is with every call."""
    always = bool(layer) and layer[-1].when is None and layer[-1].team is None
    return min(STRICTNESS[each.decide] for each in layer) if always else 0


def _word(policy: Policy) -> str:
    says = f"says {policy.decide}" if policy.mode == "enforce" else f"would say {policy.decide} (mode {policy.mode})"
    says = f"{says} to team {policy.team}" if policy.team is not None else says
    return f"{says} when {policy.when.source}" if policy.when is not None else says
