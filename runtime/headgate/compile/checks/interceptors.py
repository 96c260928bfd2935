"""Rules of interceptors: what they are for exists, and their conditions fit the tool that they are about."""

from __future__ import annotations

from collections.abc import Iterator

from headgate.compile.checks.conditions import arguments_of, mistyped
from headgate.compile.decode import touches
from headgate.compile.draft import AgentSource, Draft, Item
from headgate.compile.naming import check_names
from headgate.compile.offer import check_tools, may_serve
from headgate.core.glob import matching
from headgate.core.kind import Finding, Key
from headgate.interceptors.common import InterceptorSpec
from headgate.manifest.diagnostics import Diagnostic
from headgate.tools.common import ToolSpec

Located = Iterator[Diagnostic]


def check_interceptors(draft: Draft) -> Located:
    """Tools and agents of interceptors exist, and conditions are of the types of the tool that they are about."""
    for item in draft.interceptors.values():
        if isinstance(item.spec, InterceptorSpec):
            for finding in _findings(draft, item, item.spec):
                if not touches(item.site.silent, finding.key):
                    yield item.site.locate(finding)


def _findings(draft: Draft, item: Item, spec: InterceptorSpec) -> Iterator[Finding]:
    for key in spec.naming_tools:
        yield from check_tools(draft, _narrow(getattr(spec, key)), (*item.site.key, key))
    yield from check_names("agent", _narrow(spec.agents), draft.agent_names, (*item.site.key, "agents"))
    args = None if "model" in spec.touches else arguments_of(draft, spec.tools)
    yield from mistyped(spec.when, args, (*item.site.key, "when"))


def _narrow(globs: tuple[str, ...] | None) -> tuple[str, ...]:
    """The globs, but for those that cover everything anyway."""
    return () if globs in (None, ("*",)) else globs


def check_covered(draft: Draft) -> Located:
    """Every interceptor stands around something, and the kind does something about the tools that it covers."""
    if any(touches(agent.site.silent, ("tools",)) for agent in draft.agents.values()):
        return
    for item in draft.interceptors.values():
        if isinstance(item.spec, InterceptorSpec) and not any(map(item.site.silent.__contains__, _scope(item))):
            for finding in _idle(draft, item, item.spec):
                yield from item.site.diagnose(finding)


def _scope(item: Item) -> tuple[Key, Key]:
    return (*item.site.key, "tools"), (*item.site.key, "agents")


def _idle(draft: Draft, item: Item, spec: InterceptorSpec) -> Iterator[Finding]:
    tools, agents = reach(draft, spec)
    served = "tool" in spec.touches and may_serve(draft, spec.tools, agents)
    if not agents or not (tools or served or "model" in spec.touches):
        message = f"interceptor {item.name!r} stands around nothing: no agent that it is for has a tool that it covers"
        yield Finding(item.site.key, "HG1206", message, "correct its tools or agents, or remove it", severity="warning")
        return
    passed = [name for name in tools if not spec.handles(draft.tools[name].spec.behaviour)]
    if passed:
        message = f"interceptor {item.name!r} lets every call of {', '.join(passed)} pass: {spec.only}"
        hint = "leave them out, or state their annotations"
        yield Finding(_blamed(item), "HG1206", message, hint, severity="warning")


def _blamed(item: Item) -> Key:
    """The key that says which tools it covers; the table where none does."""
    key = (*item.site.key, "tools")
    return key if "tools" in item.spec.model_fields_set else item.site.key


def reach(draft: Draft, spec: InterceptorSpec) -> tuple[list[str], list[str]]:
    """The tools and the agents that an interceptor stands around; the tools are those that such an agent has."""
    agents = matching(spec.agents, draft.agents)
    offered = {name for each in agents for name in offers(draft, draft.agents[each])}
    return matching(spec.tools, sorted(offered)) if "tool" in spec.touches else [], agents


def offers(draft: Draft, agent: AgentSource) -> list[str]:
    """The tools of an agent that can be read."""
    known = {name: item for name, item in draft.tools.items() if isinstance(item.spec, ToolSpec)}
    return matching(agent.spec.tools, known) if agent.spec is not None else []
