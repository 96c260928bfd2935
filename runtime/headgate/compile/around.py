"""Which interceptors stand around the tools and the turns of an agent, and where they are declared: for `explain`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from headgate.compile.draft import AgentSource, Draft, Item
from headgate.core.glob import covers, matching
from headgate.interceptors.common import InterceptorSpec


def around_tools(draft: Draft, agent: AgentSource, tools: Iterable[str]) -> Iterator[str]:
    """A sentence for each of the tools that an interceptor stands around, the outermost first."""
    own = [each for each in _of(draft, agent) if "tool" in each.spec.touches]
    for tool in tools:
        said = [_said(each) for each in own if matching(each.spec.tools, [tool])]
        if said:
            yield f"{tool} stands behind {', '.join(said)}"


def around_turns(draft: Draft, agent: AgentSource) -> Iterator[str]:
    """A sentence about the interceptors that stand around the agent's model turns, if any do."""
    said = [_said(each) for each in _of(draft, agent) if "model" in each.spec.touches]
    if said:
        yield f"turns stand behind {', '.join(said)}"


def _of(draft: Draft, agent: AgentSource) -> list[Item]:
    known = [each for each in draft.interceptors.values() if isinstance(each.spec, InterceptorSpec)]
    return [each for each in known if any(covers(pattern, agent.name) for pattern in each.spec.agents)]


def _said(item: Item) -> str:
    mode = "" if item.spec.mode == "enforce" else f", mode {item.spec.mode}"
    when = "" if item.spec.when is None else f", when {item.spec.when.source}"
    team = "" if item.team is None else f", team {item.team}"
    return f"interceptors.{item.name} ({item.site.place(item.site.key)}{mode}{team}{when})"
