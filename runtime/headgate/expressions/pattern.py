"""Regular expressions of manifests that are only looked for: RE2, whose time grows with the text and with nothing else.

The engine of conditions brings RE2 along. It has no look-around and no back references; what it cannot do is refused
when the tree is loaded. Source: https://github.com/google/re2/wiki/Syntax.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from cel_expr_python import cel
from pydantic import PlainValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

MAX_PATTERN = 1000
"""Characters of one pattern."""

_ENV = cel.NewEnv(variables={"text": cel.Type.STRING, "pattern": cel.Type.STRING})
_MATCHES = _ENV.compile("text.matches(pattern)")


@dataclass(frozen=True, slots=True)
class Pattern:
    """One pattern; `(?i)` at its beginning ignores case."""

    source: str

    @classmethod
    def parse(cls, value: Any) -> Pattern:
        """The pattern of a text; raises `PydanticCustomError("pattern")`."""
        if isinstance(value, Pattern):
            return value
        if not isinstance(value, str) or not value or "\0" in value:
            raise _wrong("should be a regular expression, not empty")
        if len(value) > MAX_PATTERN:
            raise _wrong(f"should have at most {MAX_PATTERN} characters")
        answer = _ask("", _clean(value))
        if answer.type() == cel.Type.ERROR:
            reason = repr(answer).rpartition("invalid regular expression: ")[2]
            raise _wrong(f"is not a regular expression of RE2: {reason[:200]}")
        return cls(_clean(value))

    def found(self, text: str) -> bool:
        """Whether the pattern matches anywhere in the text."""
        return _ask(_clean(text), self.source).value() is True

    def __str__(self) -> str:
        return self.source


def _ask(text: str, pattern: str) -> cel.Value:
    return _MATCHES.eval(_ENV.Activation({"text": text, "pattern": pattern}))


def _clean(text: str) -> str:
    """The engine cuts texts at a NUL, and refuses lone surrogates."""
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode()


def _wrong(message: str) -> PydanticCustomError:
    return PydanticCustomError("pattern", "{reason}", {"reason": message})


PatternText = Annotated[
    Pattern,
    PlainValidator(Pattern.parse),
    WithJsonSchema({"type": "string", "minLength": 1, "maxLength": MAX_PATTERN, "x-re2": True}),
]
"""A scalar of a manifest that is a pattern."""
