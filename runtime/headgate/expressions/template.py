"""Logic-less templates: text with `{{ path }}` slots, parsed once and rendered against a scope."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Annotated, Any, Final

import msgspec
from pydantic import PlainValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from headgate.core.scalars import NAME, Interpolated

_WORD = r"[A-Za-z_][A-Za-z0-9_-]*"
_PATH = re.compile(rf"{_WORD}(?:\.{_WORD}|\[\d{{1,9}}\])*")
_INCLUDE = re.compile(rf"include:{NAME[1:-1]}")
_STEP = re.compile(rf"\[(\d+)\]|({_WORD})")
_encode = msgspec.json.Encoder().encode

Step = str | int
Ranges = tuple[tuple[int, int], ...]


class Missing(Enum):
    """The type of `MISSING`."""

    MISSING = "missing"


MISSING: Final = Missing.MISSING
"""What rendering answers when a path leads nowhere; whoever asked leaves the key out."""


@dataclass(frozen=True, slots=True)
class Slot:
    """One `{{ path }}`; `offset` is the place of the path's first character in the scalar."""

    path: str
    offset: int
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Template:
    """A parsed scalar: literal text and slots, in order.

    `include:NAME` is one step, so its value is looked up in the scope under that whole name.
    """

    source: str
    parts: tuple[str | Slot, ...]

    @classmethod
    def parse(cls, text: str) -> Template:
        """The template of `text`; raises `PydanticCustomError("template_syntax")` with the `offset` in its context.

        Characters that came from a `${...}` reference are data: no syntax is found in them.
        """
        data = text.literal if isinstance(text, Interpolated) else ()
        return cls(str(text), tuple(map(_sound, pieces(str(text), data))))

    @property
    def slots(self) -> tuple[Slot, ...]:
        """The slots, in order."""
        return tuple(part for part in self.parts if isinstance(part, Slot))

    @property
    def paths(self) -> tuple[tuple[str, int], ...]:
        """Every path with its offset in the scalar."""
        return tuple((slot.path, slot.offset) for slot in self.slots)

    def render(self, scope: Mapping[str, Any]) -> Any:
        """The value: of its own JSON type when the scalar is exactly one slot, else text; MISSING if a path is."""
        if len(self.parts) == 1 and isinstance(self.parts[0], Slot):
            return lookup(scope, self.parts[0].steps)
        return self.render_text(scope, str)

    def render_text(self, scope: Mapping[str, Any], escape: Callable[[str], str]) -> str | Missing:
        """The text, with `escape` applied to every value but not to the literal text; MISSING if a path is."""
        out: list[str] = []
        for part in self.parts:
            if isinstance(part, str):
                out.append(part)
                continue
            value = lookup(scope, part.steps)
            if value is MISSING:
                return Missing.MISSING
            out.append(escape(as_text(value)))
        return "".join(out)

    def partition(self, mark: str) -> tuple[Template, Template]:
        """The template before and from the first `mark` that is literal text."""
        for index, part in enumerate(self.parts):
            if isinstance(part, str) and mark in part:
                at = part.index(mark)
                before = (*self.parts[:index], *((part[:at],) if at else ()))
                return Template(self.source, before), Template(self.source, (part[at:], *self.parts[index + 1 :]))
        return self, Template(self.source, ())


def lookup(scope: Any, steps: tuple[Step, ...]) -> Any:
    """The value at the end of `steps`, or MISSING."""
    value = scope
    for step in steps:
        if isinstance(step, str) and isinstance(value, Mapping):
            value = value.get(step, MISSING)
        elif isinstance(step, int) and isinstance(value, (list, tuple)) and step < len(value):
            value = value[step]
        else:
            return MISSING
    return value


def as_text(value: Any) -> str:
    """A value inside text: strings as they are, everything else as compact JSON."""
    return value if isinstance(value, str) else _encode(value).decode()


def pieces(text: str, data: Ranges = ()) -> Iterator[str | Slot | PydanticCustomError]:
    """Literal text, slots, and errors in the place of malformed slots; in the ranges `data` there is no syntax."""
    start = 0
    while (opening := _find(text, "{{", start, data)) >= 0:
        closing = _find(text, "}}", opening + 2, data)
        if closing < 0:
            yield _error("the template is not closed; write {{ path }}", opening)
            return
        if opening > start:
            yield text[start:opening]
        yield _slot(text, opening + 2, closing, data)
        start = closing + 2
    if start < len(text):
        yield text[start:]


def _sound(piece: str | Slot | PydanticCustomError) -> str | Slot:
    if isinstance(piece, PydanticCustomError):
        raise piece
    return piece


def _find(text: str, token: str, start: int, data: Ranges) -> int:
    at = text.find(token, start)
    while at >= 0 and _touches(data, at, at + len(token)):
        at = text.find(token, at + 1)
    return at


def _touches(data: Ranges, start: int, end: int) -> bool:
    return any(low < end and start < high for low, high in data)


def _slot(text: str, start: int, end: int, data: Ranges) -> Slot | PydanticCustomError:
    inner = text[start:end]
    path, offset = inner.strip(), start + len(inner) - len(inner.lstrip())
    if not path:
        return _error("the template is empty; write {{ path }}", start)
    if _touches(data, start, end):
        return _error("the path of a template cannot come from a reference", offset)
    if _INCLUDE.fullmatch(path):
        return Slot(path, offset, (path,))
    if not _PATH.fullmatch(path):
        return _error("a template holds a path such as args.lines[0].id, and nothing else", offset)
    return Slot(path, offset, tuple(_steps(path)))


def _steps(path: str) -> Iterator[Step]:
    for match in _STEP.finditer(path):
        yield int(match[1]) if match[1] is not None else match[2]


def _error(message: str, offset: int) -> PydanticCustomError:
    return PydanticCustomError("template_syntax", message, {"offset": offset})


def _validate(value: Any) -> Template:
    if isinstance(value, Template):
        return value
    if not isinstance(value, str):
        raise PydanticCustomError("template_type", "should be text")
    return Template.parse(value)


TemplateText = Annotated[Template, PlainValidator(_validate), WithJsonSchema({"type": "string", "x-template": True})]
"""A scalar of a manifest that may hold `{{ path }}`."""
