"""Says of one key of a tree what it is now, where that comes from, and what it means."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple

from headgate.compile.compiler import Compiled
from headgate.compile.contributions import VIEWS, Contribution, contributions, view
from headgate.compile.draft import AgentSource, Draft, Site
from headgate.compile.prompt import included
from headgate.compile.reasons import effective, reasons
from headgate.compile.schema import Schema, schemas
from headgate.compile.walk import Walk
from headgate.core.errors import NotFound
from headgate.core.kind import Key
from headgate.manifest.diagnostics import suggest
from headgate.manifest.redaction import REDACTED, Redactor

_PART = re.compile(r'"([^"]*)"|\[(\d+)\]|([^.\[\]"]+)')
_FAMILIES = {"agents": "agent", "tools": "tool"}
_PROMPT = "prompt"


@dataclass(frozen=True, slots=True)
class Place:
    """Where something is written; lines and columns count from 1."""

    path: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.path}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class Explained:
    """One key: `value` is JSON without secrets, and `origin` says whether it is written, a default or nothing.

    `written` is the text of a value that refers to something outside. `reload` is the class of an edit: `hot`,
    `subsystem` or `restart`. `notes` say what else decides the value, and
    `contributions` what each layer says of it, from the outermost in.
    """

    path: str
    value: Any
    origin: Literal["written", "default", "not set"]
    place: Place | None = None
    written: str | None = None
    default: Any = None
    description: str = ""
    reload: str = "hot"
    notes: tuple[str, ...] = ()
    contributions: tuple[Contribution, ...] = ()


class _Target(NamedTuple):
    """What a path names: a document, the schema it follows, and the key in it."""

    site: Site | None
    schema: str
    prefix: str
    key: Key


def parse_path(text: str) -> Key:
    """The parts of `providers.claude.prices."model.id".input` or `agents.helper.tools[0]`."""
    return tuple(int(index) if index else quoted or plain for quoted, index, plain in _PART.findall(text))


def explain(compiled: Compiled, path: str) -> Explained:
    """The key at `path`, such as `agents.assistant.tools` or `server.port`; raises `NotFound` with what was meant."""
    draft, target = compiled.draft, _target(compiled.draft, parse_path(path))
    if target.schema == "agent" and target.key == (_PROMPT,):
        return _prompt(draft, draft.agents[str(parse_path(path)[1])], path)
    if target.schema == "agent" and len(target.key) == 1 and target.key[0] in VIEWS:
        return _view(draft, draft.agents[str(parse_path(path)[1])], str(target.key[0]), path)
    body = target.site.body if target.site else {}
    walk = Walk(schemas(draft.kinds)[f"{target.schema}.schema.json"])
    node = walk.find(target.key, body)
    if node is None:
        raise _unknown(walk, target, body)
    return _explained(draft, target, walk, path)


def _target(draft: Draft, key: Key) -> _Target:
    if not key:
        raise NotFound("the path is empty; name a key, such as server.port or agents.assistant.tools")
    family = _FAMILIES.get(str(key[0]))
    if family is None:
        return _Target(draft.gateway_site, "gateway", "", key)
    known: dict[str, Site] = {name: each.site for name, each in getattr(draft, str(key[0])).items()}
    name = str(key[1]) if len(key) > 1 else ""
    if name not in known:
        guess = suggest(name, known) if name else None
        hint = f"did you mean {key[0]}.{guess}?" if guess else f"there are: {', '.join(sorted(known)) or 'none'}"
        raise NotFound(f"no {family} is called {name!r}; {hint}" if name else f"name one of the {key[0]}; {hint}")
    return _Target(known[name], family, f"{key[0]}.{name}.", key[2:])


def _unknown(walk: Walk, target: _Target, body: Any) -> NotFound:
    """The first part of the key that leads nowhere, and the one that was probably meant."""
    size = next(size for size in range(1, len(target.key) + 1) if walk.find(target.key[:size], body) is None)
    above, part = target.key[: size - 1], str(target.key[size - 1])
    known = walk.keys(walk.find(above, body) or {}, _value(body, above))
    known |= {_PROMPT, *VIEWS} if target.schema == "agent" and not above else set()
    known |= set(_FAMILIES) if target.schema == "gateway" and not above else set()
    base = target.prefix + "".join(f"{each}." for each in above)
    guess = suggest(part, known)
    hint = f"did you mean {base}{guess}?" if guess else f"known there: {', '.join(sorted(known)) or 'nothing'}"
    return NotFound(f"there is no key {base}{part}; {hint}")


def _explained(draft: Draft, target: _Target, walk: Walk, path: str) -> Explained:
    site, key = target.site, target.key
    body = site.body if site else {}
    node, raw = walk.find(key, body) or {}, _value(body, key)
    found = Explained(
        path,
        effective(draft, parse_path(path), node, node.get("default") if raw is None else raw),
        "written",
        default=node.get("default"),
        description=node.get("description", ""),
        reload=node.get("x-reload", "hot"),
        notes=tuple(reasons(draft, parse_path(path))),
        contributions=tuple(_said(draft, contributions(draft, parse_path(path)))),
    )
    value = _scrubbed(_shown(found.value, key, walk, body), Redactor(draft.secrets).scrub)
    if raw is None or site is None:
        return replace(found, value=value, origin="not set" if value is None else "default")
    document, below = site.document.home(key)
    file, span = document.spot(document.key_span(below))
    place = Place(file, *span)
    written = raw if isinstance(raw, str) and "${" in raw else None
    return replace(found, value=value, place=place, written=written)


def _said(draft: Draft, found: Iterable[Contribution]) -> Iterator[Contribution]:
    """The contributions without secrets."""
    scrub = Redactor(draft.secrets).scrub
    return (replace(each, says=scrub(each.says)) for each in found)


def _view(draft: Draft, agent: AgentSource, name: str, path: str) -> Explained:
    """What all layers say about one side of an agent."""
    found = tuple(_said(draft, view(draft, agent, name)))
    return Explained(path, None, "not set", description=VIEWS[name], contributions=found)


def _scrubbed(value: Any, scrub: Callable[[str], str]) -> Any:
    if isinstance(value, dict):
        return {name: _scrubbed(each, scrub) for name, each in value.items()}
    if isinstance(value, list):
        return [_scrubbed(each, scrub) for each in value]
    return scrub(value) if isinstance(value, str) else value


def _value(body: Any, key: Key) -> Any:
    for part in key:
        if isinstance(body, dict):
            body = body.get(part)
        elif isinstance(body, list) and isinstance(part, int) and part < len(body):
            body = body[part]
        else:
            return None
    return body


def _shown(value: Any, key: Key, walk: Walk, body: Any) -> Any:
    """The value without anything that came from outside, and without secrets that are written out."""
    if isinstance(value, dict):
        return {name: _shown(each, (*key, name), walk, body) for name, each in value.items()}
    if isinstance(value, list):
        return [_shown(each, (*key, index), walk, body) for index, each in enumerate(value)]
    if isinstance(value, str) and ("${" in value or _is_secret(walk.find(key, body) or {})):
        return REDACTED
    return value


def _is_secret(node: Schema) -> bool:
    return bool(node.get("x-secret")) or any(_is_secret(each) for each in node.get("anyOf", ()))


def _prompt(draft: Draft, agent: AgentSource, path: str) -> Explained:
    """The prompt is no key, but it is what people ask for first."""
    names = sorted(included(agent.prompt))
    notes = tuple(
        f"includes {draft.fragments[name][0].path}" if name in draft.fragments else f"includes {name}, which is missing"
        for name in names
    )
    place = Place(agent.site.document.path, agent.site.document.prompt_line, 1)
    said = "The system prompt: the Markdown below the frontmatter."
    return Explained(path, agent.prompt.strip(), "written", place, description=said, notes=notes)
