"""What an MCP server says that it offers, cleaned: a listing is untrusted input that models come to read."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError
from jsonschema.validators import validator_for

from headgate.core.ports import Annotations

DESCRIPTION = 8 << 10
"""Characters of a description that a model is shown."""
SCHEMA = 64 << 10
"""Bytes of an input schema, as JSON; a tool with a larger one is left out."""
TOOLS = 1000
"""Tools of one server; what comes behind them is left out."""
_DEPTH = 48
_KEPT = {ord("\t"), ord("\n"), ord("\r")}
_HIDDEN = dict.fromkeys(
    [code for code in (*range(0x20), 0x7F, *range(0x80, 0xA0)) if code not in _KEPT]
    + [0xAD, *range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x2070), 0xFEFF]
    + [*range(0xD800, 0xE000), *range(0xE0000, 0xE1000)]
)
"""Control, zero-width, bidirectional and tag characters: what people do not see and models read."""
_NAME = re.compile(r"[^\x00-\x20\x7f-\xa0]{1,128}")


@dataclass(frozen=True, slots=True)
class ListedTool:
    """One tool as its server lists it: `name` is the server's own. `stated` are the annotations that the server gives;
    what it leaves unstated has MCP's defaults."""

    name: str
    description: str
    input_schema: dict[str, Any] = field(hash=False)
    stated: Annotations = field(default_factory=Annotations)
    title: str = ""
    output_schema: dict[str, Any] | None = field(default=None, hash=False)


@dataclass(frozen=True, slots=True)
class Listing:
    """All that a server offers. `problems` say what was left out, and why; `readable` that it has resources at all, if
    only such as templates make."""

    tools: Mapping[str, ListedTool] = field(default_factory=dict)
    prompts: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    readable: bool = False


NOTHING = Listing()


def read_tools(raw: Iterable[Mapping[str, Any]]) -> tuple[dict[str, ListedTool], tuple[str, ...]]:
    """The tools of a `tools/list` in the form of the wire, by name, and what is wrong with the others."""
    found: dict[str, ListedTool] = {}
    problems: list[str] = []
    twice: set[str] = set()
    for index, each in enumerate(raw):
        name = each.get("name")
        if len(found) >= TOOLS:
            problems.append(f"only the first {TOOLS} tools are offered")
            break
        if not isinstance(name, str) or not _NAME.fullmatch(name) or name != name.translate(_HIDDEN):
            problems.append(f"tool {index + 1} has a name that cannot be used")
            continue
        fault = _fault(each.get("inputSchema"))
        if fault:
            problems.append(f"tool {name!r} is left out: {fault}")
        elif name in found or name in twice:
            twice.add(name)
            found.pop(name, None)
        else:
            found[name] = _tool(name, each)
    problems += [f"tool {name!r} is listed twice, so neither is offered" for name in sorted(twice)]
    return found, tuple(problems)


def visible(text: Any, limit: int = DESCRIPTION) -> str:
    """A text of the server without what people cannot see, and no longer than `limit` characters."""
    if not isinstance(text, str):
        return ""
    shown = text[: 4 * limit].translate(_HIDDEN).strip()
    return shown if len(shown) <= limit else f"{shown[: limit - 5]}[...]"


def _tool(name: str, raw: Mapping[str, Any]) -> ListedTool:
    title = visible(raw.get("title"), 200)
    description = visible(raw.get("description")) or title or name
    output = raw.get("outputSchema")
    return ListedTool(
        name,
        description,
        _cleaned(raw["inputSchema"]),
        _stated(raw.get("annotations")),
        title,
        _cleaned(output) if isinstance(output, dict) else None,
    )


def _fault(schema: Any) -> str:
    """Why the schema cannot be used; empty when it can."""
    if not isinstance(schema, dict) or schema.get("type") != "object":
        return "its input schema is not that of an object"
    try:
        if len(json.dumps(schema)) > SCHEMA:
            return f"its input schema is larger than {SCHEMA >> 10} KiB"
        if _deep(schema, 0):
            return "its input schema is nested too deeply"
        validator_for(schema, default=Draft202012Validator).check_schema(schema)
    except SchemaError as error:
        return f"its input schema is not valid: {visible(error.message, 200)}"
    except (RecursionError, ValueError, TypeError):
        return "its input schema cannot be read"
    return ""


def _deep(value: Any, depth: int) -> bool:
    if depth > _DEPTH:
        return True
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return any(_deep(each, depth + 1) for each in inner)


def _cleaned(value: Any) -> Any:
    """The schema, whose texts hide nothing; names of members stay, they are what arguments are called."""
    if isinstance(value, str):
        return value.translate(_HIDDEN)
    if isinstance(value, dict):
        return {name: _cleaned(each) for name, each in value.items()}
    return [_cleaned(each) for each in value] if isinstance(value, list) else value


def _stated(raw: Any) -> Annotations:
    hints: Mapping[str, Any] = raw if isinstance(raw, dict) else {}

    def stated(name: str, *, default: bool) -> bool:
        value = hints.get(name)
        return value if isinstance(value, bool) else default

    read_only = stated("readOnlyHint", default=False)
    return Annotations(
        read_only=read_only,
        destructive=stated("destructiveHint", default=True) and not read_only,
        idempotent=stated("idempotentHint", default=False),
        open_world=stated("openWorldHint", default=True),
    )
