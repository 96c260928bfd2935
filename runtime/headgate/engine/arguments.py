"""What is written down of the arguments of a tool call: as little as `[audit] arguments` allows."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import Any, Literal

import msgspec

from headgate.interceptors.texts import mapped

Detail = Literal["shapes", "hashes", "values"]

_NAME = re.compile(r"[A-Za-z_][\w.-]{0,63}")
_NAMES = 50
_VALUES = 8 << 10
"""Bytes of arguments that are written down; of longer ones there are the shapes."""
_canonical = msgspec.json.Encoder(order="deterministic").encode


def args_hash(args: Mapping[str, Any] | None) -> str:
    """The SHA-256 of the arguments, whatever the order of their keys."""
    return sha256(_canonical(args or {})).hexdigest()


def noted(args: Mapping[str, Any] | None, detail: Detail, scrub: Callable[[str], str] = str) -> dict[str, Any]:
    """The details of an audit record that are about the arguments; None are those that could not be read. Values come
    without the secrets that `scrub` knows."""
    if args is None:
        return {"arguments": "unreadable"}
    if detail == "hashes":
        return {"arguments_sha256": args_hash(args)}
    if detail == "values" and len(_canonical(args)) <= _VALUES:
        return {"arguments": mapped(dict(args), lambda _label, text: scrub(text))}
    return {"shapes": shapes(args)}


def shapes(args: Mapping[str, Any]) -> dict[str, str]:
    """The type of each argument, and its length if it has one.

    A name that no schema would have may be data: it is left out, as is what comes behind the first fifty.
    """
    named = [name for name in args if _NAME.fullmatch(name)][:_NAMES]
    found = {name: _shape(args[name]) for name in named}
    return found if len(found) == len(args) else found | {"...": f"{len(args) - len(found)} more"}


def _shape(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int() | float():
            return "number"
        case str():
            return f"string({len(value)})"
        case list() | tuple():
            return f"array({len(value)})"
        case _:
            return f"object({len(value)})"
