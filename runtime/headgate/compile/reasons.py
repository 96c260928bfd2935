"""Why a key has the value that it has: limits that cap it, what aliases and `auto` stand for, what globs cover."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from headgate.compile.around import around_tools, around_turns
from headgate.compile.draft import AgentSource, Draft, Item
from headgate.compile.held import held_tools
from headgate.compile.naming import find_model
from headgate.compile.schema import Schema
from headgate.core.glob import is_glob, matching
from headgate.core.kind import Key
from headgate.core.scalars import DURATIONS, SIZES, duration_text, size_text


def effective(draft: Draft, key: Key, node: Schema, value: Any) -> Any:
    """The value that counts at the path `key`, where another one than the key's own `value` does."""
    if key[0] == "agents" and key[2:] == ("max_turns",) and draft.gateway and isinstance(value, int):
        return min(value, draft.gateway.limits.turns)
    item = draft.providers.get(str(key[1])) if key[0] == "providers" and len(key) == 3 else None
    if item is not None and key[2] == "model" and value is None:
        return _own_model(item)
    if item is None or item.kind is None or item.kind.name == item.site.body["providers"][item.name].get("kind"):
        return value
    if key[2] == "kind":
        return item.kind.name
    chosen = getattr(item.spec, str(key[2]), None)
    if value is not None or not isinstance(chosen, str | int | float | bool):
        return value
    return _as_written(node, chosen)


def _as_written(node: Schema, value: Any) -> Any:
    """Seconds and bytes as manifests write them."""
    pattern = node.get("pattern", next((each.get("pattern") for each in node.get("anyOf", ())), ""))
    if pattern in DURATIONS and isinstance(value, float):
        return duration_text(value)
    return size_text(value) if pattern in SIZES and isinstance(value, int) else value


def reasons(draft: Draft, key: Key) -> Iterator[str]:
    """Sentences about what else decides the value at the path `key`."""
    agent = draft.agents.get(str(key[1])) if key[0] == "agents" and len(key) == 3 else None
    if agent is not None and agent.spec is not None:
        yield from _agent_notes(draft, agent, str(key[2]))
    if key[0] == "models" and len(key) > 1:
        yield from _model_notes(draft, str(key[1]))
    if key[0] == "providers" and len(key) > 1 and key[1] in draft.providers:
        yield from _choice(draft.providers[str(key[1])])


def _agent_notes(draft: Draft, agent: AgentSource, key: str) -> Iterator[str]:
    spec = agent.spec
    if spec is None:
        return
    if key == "tools" and any(map(is_glob, spec.tools)):
        yield f"of tools/ it offers {', '.join(matching(spec.tools, draft.tools)) or 'nothing'}"
    if key in ("tools", "approvals"):
        yield from held_tools(draft, agent, matching(spec.tools, draft.tools))
    if key == "tools":
        yield from around_tools(draft, agent, matching(spec.tools, draft.tools))
    if key == "model":
        yield from _model_notes(draft, spec.model)
        yield from around_turns(draft, agent)
    if key == "max_turns" and draft.gateway is not None and spec.max_turns > draft.gateway.limits.turns:
        yield f"limits.turns caps it at {draft.gateway.limits.turns}"


def _model_notes(draft: Draft, reference: str | None) -> Iterator[str]:
    target = find_model(reference, draft)
    if target is None:
        return
    which = f"{reference} stands for" if reference else "without it, the agent has"
    yield f"{which} model {target.model} of provider {target.provider}"
    item = draft.providers.get(target.provider)
    if item is not None:
        yield from _choice(item)
        if target.model == "auto" and (model := _own_model(item)):
            yield f"auto is {model}, the provider's own model"


def _own_model(item: Item) -> str | None:
    """The model of a provider that is asked for none: the one that it names, or that of its kind."""
    own: str | None = getattr(item.spec, "model", None) or getattr(item.spec, "default", None)
    return own


def _choice(item: Item) -> Iterator[str]:
    said = item.site.body["providers"][item.name].get("kind")
    if item.kind is not None and item.kind.name != said:
        yield f"kind {said} chose {item.kind.name}, by what the environment holds"
