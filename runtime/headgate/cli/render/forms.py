"""The form of an MCP server on a terminal: one line a field, and what was typed as the value that the field wants."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

from headgate.cli.render.questions import exact
from headgate.core.inputs import Question
from headgate.mcp.forms import choices

_KINDS = {"number": "a number", "integer": "a whole number", "boolean": "yes or no", "string": "text"}
_TRUTH = {"yes": True, "y": True, "true": True, "no": False, "n": False, "false": False}
Field = Mapping[str, Any]


def fields(question: Question) -> Iterator[tuple[str, Field]]:
    """The fields of the form, in the server's order."""
    yield from (question.schema or {}).get("properties", {}).items()


def prompt(name: str, field: Field, question: Question) -> str:
    """What is shown before the value; the labels are the server's own."""
    told = f"{_wanted(field)}; Enter for {_empty(name, field, question)}".removesuffix("; Enter for ")
    about = f"    {exact(field['description'])[1:-1]}\n" if "description" in field else ""
    return f"{about}  {exact(field.get('title', name))[1:-1]} ({told}): "


def about(name: str, field: Field, question: Question) -> str:
    """What the field is, in one line."""
    label = f"{exact(field['title'])[1:-1]}; " if "title" in field else ""
    empty = _empty(name, field, question)
    return f"{label}{_wanted(field)}; {f'{empty} if left out' if empty else 'required'}"


def _empty(name: str, field: Field, question: Question) -> str:
    """What it is when nothing is said; nothing where something must be."""
    if "default" in field:
        return exact(field["default"])
    return "" if name in (question.schema or {}).get("required", ()) else "none"


def _wanted(field: Field) -> str:
    listed = choices(field)
    if not listed:
        return str(field.get("format", _KINDS.get(field["type"], field["type"])))
    shown = [exact(value)[1:-1] if value == label else f"{exact(value)[1:-1]} = {exact(label)[1:-1]}"
             for value, label in listed.items()]  # fmt: skip
    return f"{'some of, with commas' if field['type'] == 'array' else 'one of'}: {', '.join(shown)}"


def value(typed: str, field: Field) -> Any:
    """The value, None where nothing was typed; what cannot be one stays a text, which the form refuses."""
    text = typed.strip()
    if not text:
        return None
    match field["type"]:
        case "boolean":
            return _TRUTH.get(text.lower(), text)
        case "array":
            return [each.strip() for each in text.split(",") if each.strip()]
        case "integer" | "number":
            with contextlib.suppress(ValueError):
                return int(text)
            with contextlib.suppress(ValueError):
                return float(text) if field["type"] == "number" else text
            return text
    return typed
