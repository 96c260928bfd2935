"""The `{{ user }}` and `{{ result.path }}` of scripts: checked when a script is read, filled in when it is played."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import msgspec
from pydantic_core import PydanticCustomError

from headgate.core.scalars import Interpolated

_FIELD = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
_PATH = re.compile(r"user|result((?:\.[A-Za-z_][\w-]*|\.\d+|\[\d+\])*)", re.ASCII)
_STEP = re.compile(r"[^.\[\]]+")
_WANTED = "write {{ user }}, {{ result }} or {{ result.name[0] }}"


def check(value: Any) -> Any:
    """The value itself; raises `PydanticCustomError` when a string in it has a placeholder of another form."""
    if isinstance(value, str):
        for match in _fields(value):
            if _PATH.fullmatch(match[1].strip()) is None:
                raise PydanticCustomError("script_template", "unknown placeholder {name}; {wanted}", _shown(match))
    elif isinstance(value, dict):
        for each in value.values():
            check(each)
    elif isinstance(value, list | tuple):
        for each in value:
            check(each)
    return value


def fill(value: Any, user: str, results: Sequence[Any]) -> Any:
    """The value with its placeholders filled in; `LookupError` when the latest of the results has no such part.

    A string that is exactly one placeholder takes over the type of what it names.
    """
    if isinstance(value, str):
        return _fill_text(value, user, results)
    if isinstance(value, dict):
        return {name: fill(each, user, results) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [fill(each, user, results) for each in value]
    return value


def fill_text(text: str, user: str, results: Sequence[Any]) -> str:
    """The text with its placeholders filled in; what is not text is written as JSON."""
    value = _fill_text(text, user, results)
    return value if isinstance(value, str) else _json(value)


def _fill_text(text: str, user: str, results: Sequence[Any]) -> Any:
    fields = _fields(text)
    if len(fields) == 1 and fields[0].span() == (0, len(text)):
        return _look_up(fields[0], user, results)
    out, end = [], 0
    for match in fields:
        value = _look_up(match, user, results)
        out += [text[end : match.start()], value if isinstance(value, str) else _json(value)]
        end = match.end()
    return "".join([*out, text[end:]])


def _fields(text: str) -> list[re.Match[str]]:
    """The placeholders, without those that came from a reference: these are data."""
    literal = text.literal if isinstance(text, Interpolated) else ()
    return [
        match
        for match in _FIELD.finditer(text)
        if not any(start < match.end() and match.start() < end for start, end in literal)
    ]


def _look_up(match: re.Match[str], user: str, results: Sequence[Any]) -> Any:
    path = match[1].strip()
    if path == "user":
        return user
    if not results:
        raise LookupError(f"there is no tool result yet for {path}")
    value = results[-1]
    for step in _STEP.findall(path.removeprefix("result")):
        if isinstance(value, list) and step.isdigit() and int(step) < len(value):
            value = value[int(step)]
        elif isinstance(value, dict) and step in value:
            value = value[step]
        else:
            raise LookupError(f"the latest tool result has no {path}")
    return value


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode("utf-8")


def _shown(match: re.Match[str]) -> dict[str, str]:
    return {"name": match[0], "wanted": _WANTED}
