"""Rules of approvals: policies cover tools that exist, and who names them or may answer exists too."""

from __future__ import annotations

from collections.abc import Iterator

from headgate.compile.approvals import FREE
from headgate.compile.checks.conditions import arguments_of, mistyped
from headgate.compile.decode import touches
from headgate.compile.draft import Draft
from headgate.compile.naming import unknown
from headgate.compile.offer import check_tools
from headgate.compile.policies import ApprovalPolicy
from headgate.compile.specs import Agent
from headgate.core.kind import Finding, Key
from headgate.manifest.diagnostics import Diagnostic

Located = Iterator[Diagnostic]

TABLE = "approvals"
_OF_ASKING = ("remember", "qualifier", "timeout", "approvers", "quorum")
_OF_APPROVING = ("remember", "qualifier", "quorum")


def check_policies(draft: Draft) -> Located:
    """Tools and approvers of policies exist, their expressions fit the tool that they are about, and no key is idle."""
    if draft.gateway is None or draft.gateway_site is None:
        return
    for name, policy in draft.gateway.approvals.items():
        for rule in (_tools, _approvers, _quorum, _expressions, _idle):
            for finding in rule(draft, policy, (TABLE, name)):
                yield from draft.gateway_site.diagnose(finding)


def _tools(draft: Draft, policy: ApprovalPolicy, at: Key) -> Iterator[Finding]:
    for finding in check_tools(draft, policy.tools, (*at, "tools")):
        name = policy.tools[int(finding.key[-1])]
        if name in FREE:
            said = f"no policy covers {name!r}: it shows only what a call has answered already"
            finding = Finding(finding.key, "HG1206", said, "remove it", severity="warning")
        yield finding


def _approvers(draft: Draft, policy: ApprovalPolicy, at: Key) -> Iterator[Finding]:
    known = _people(draft)
    for index, name in enumerate(policy.approvers):
        if known is not None and name not in known:
            yield unknown("team or key", name, known, (*at, "approvers", index))


def _quorum(draft: Draft, policy: ApprovalPolicy, at: Key) -> Iterator[Finding]:
    if draft.gateway is None or _people(draft) is None:
        return
    keys, named = draft.gateway.auth.keys, frozenset(policy.approvers)
    voters = [name for name, key in keys.items() if not named or not named.isdisjoint((name, key.team))]
    if policy.quorum > 1 and len(voters) < policy.quorum:
        message = f"{policy.quorum} keys must approve, and only {len(voters)} may: {', '.join(voters) or 'none'}"
        yield Finding((*at, "quorum"), "HG1401", message, "lower it, or name more approvers")


def _people(draft: Draft) -> frozenset[str] | None:
    """The teams and the keys; None when they are not all known."""
    site, gateway = draft.gateway_site, draft.gateway
    keys = gateway.auth.keys if gateway else {}
    places = [("auth", "keys", name, "team") for name in keys]
    if site is None or not draft.knows("auth", "keys") or any(touches(site.silent, each) for each in places):
        return None
    return frozenset(keys) | {key.team for key in keys.values()}


def _expressions(draft: Draft, policy: ApprovalPolicy, at: Key) -> Iterator[Finding]:
    args = arguments_of(draft, policy.tools)
    yield from mistyped(policy.when, args, (*at, "when"))
    yield from mistyped(policy.qualifier, args, (*at, "qualifier"))


def _idle(_draft: Draft, policy: ApprovalPolicy, at: Key) -> Iterator[Finding]:
    for key in _OF_ASKING if policy.decide != "ask" else ():
        asks = key not in _OF_APPROVING and policy.on_unknown_outcome == "ask"
        if key in policy.model_fields_set and not asks:
            message = f"{key!r} has no effect: the policy asks nobody"
            yield Finding((*at, key), "HG1206", message, "remove it, or decide 'ask'", severity="warning")
    if policy.decide == "allow" and policy.mode != "enforce":
        message = (
            f"a policy that allows has no effect in mode {policy.mode!r}: there is nothing that it would have held"
        )
        yield Finding((*at, "mode"), "HG1206", message, "remove the mode, or the policy", severity="warning")


def check_named_policies(draft: Draft) -> Located:
    """Policies that agents and profiles name exist, and would not hold without being named."""
    for agent in draft.agents.values():
        for at, names in named_policies(agent.spec):
            for index, name in enumerate(names):
                for finding in _named(draft, name, (*at, index)):
                    yield from agent.site.diagnose(finding)


def named_policies(spec: Agent | None) -> Iterator[tuple[Key, tuple[str, ...]]]:
    """The names of policies in an agent, by the key where they stand."""
    if spec is None:
        return
    yield (TABLE,), spec.approvals
    for name, profile in spec.profiles.items():
        yield ("profiles", name, TABLE), profile.approvals


def _named(draft: Draft, name: str, key: Key) -> Iterator[Finding]:
    known = draft.declared(TABLE)
    if draft.gateway is None or draft.gateway_site is None or not draft.knows(TABLE):
        return
    if name not in known:
        yield unknown("approval policy", name, known, key)
        return
    policy = draft.gateway.approvals.get(name)
    if policy is not None and policy.apply == "all" and draft.knows(TABLE, name, "apply"):
        message = f"naming policy {name!r} has no effect: it holds for every agent"
        hint = f'remove the name, or write apply = "named" in [approvals.{name}]'
        yield Finding(key, "HG1206", message, hint, severity="warning")
