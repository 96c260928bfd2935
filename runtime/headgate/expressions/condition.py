"""Conditions and texts in CEL: type-checked when the tree is loaded, asked about one tool call at a time."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Self

from cel_expr_python import cel
from pydantic import PlainValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from headgate.core.errors import GatewayError
from headgate.core.scalars import Interpolated
from headgate.expressions.activation import Activation
from headgate.expressions.cel import compile_program, fault
from headgate.expressions.cel_checks import result_type
from headgate.expressions.cel_tree import Node, read_tree
from headgate.expressions.cel_types import Declarations
from headgate.expressions.cel_work import WorkError, check_work, loops

_STATUS = re.compile(r"([A-Z_]+): ")
_MISSING = re.compile(r'No value with name "(\w+)"')
_NO_KEY = "Key not found in map"


class ConditionError(GatewayError):
    """An expression that has no answer for this call: a missing key, types that do not fit, too much work.

    What that means is for the caller: `deny` and `ask` take it for a match, `allow` does not.
    """

    default_code = "condition_failed"


@dataclass(frozen=True, slots=True)
class Expression:
    """A compiled CEL expression; what `Condition` and `Text` share."""

    wanted: ClassVar[cel.Type]
    noun: ClassVar[str]

    source: str
    program: cel.Expression = field(repr=False, compare=False)
    tree: Node | None = field(repr=False, compare=False)

    @classmethod
    def parse(cls, text: str, scope: Declarations) -> Self:
        """The expression; raises `PydanticCustomError("cel_syntax" | "cel_type")`.

        The error's context has the `offset` in characters and a `hint`, which may be empty.
        """
        if isinstance(text, Interpolated) and text.literal:
            raise fault("cel_syntax", "an expression cannot hold a reference", text.literal[0][0])
        source = str(text)
        program = compile_program(source)
        tree = read_tree(program.serialize())
        found = result_type(source, program, tree, scope)
        if found not in (cls.wanted, cel.Type.DYN):
            raise fault("cel_type", f"the expression gives {_article(found)}, not {cls.noun}", 0)
        return cls(source, program, tree if loops(tree) else None)

    def within(self, scope: Declarations) -> Self:
        """The same expression, checked against a scope that knows more; raises as `parse` does."""
        return type(self).parse(self.source, scope)

    def _value(self, activation: Activation) -> Any:
        value = self._evaluate(activation)
        kind = value.type()
        if kind == self.wanted:
            return value.value()
        if kind == cel.Type.ERROR:
            raise ConditionError(self._reason(repr(value), activation))
        # Neither a null nor an optional may be asked for its value: see the note in `cel`.
        raise ConditionError(f"the expression gave {_article(kind)}, not {self.noun}")

    def _evaluate(self, activation: Activation) -> cel.Value:
        if self.tree is not None:
            try:
                check_work(self.tree, activation.extent)
            except WorkError as error:
                raise ConditionError(str(error), code="condition_budget") from None
        try:
            return self.program.eval(activation.native)
        except RuntimeError as error:
            said = str(error)
            code = "condition_budget" if "budget" in said or "limit" in said else None
            raise ConditionError(self._reason(said, activation), code=code) from None

    def _reason(self, said: str, activation: Activation) -> str:
        """The engine's reason without status codes and argument values, or why the name that it misses is not there."""
        status = _STATUS.match(said)
        if status is None:
            return f"the expression gave an optional value, not {self.noun}; end it with orValue(...)"
        text = said[status.end() :].partition("\n")[0].removesuffix(f" [{status[1]}]")
        if missing := _MISSING.match(text):
            return activation.faults.get(missing[1], f"there is no {missing[1]} yet")
        reason, _, key = text.partition(" : ")
        return text[:200] if reason != _NO_KEY or key.strip('"') in self.source else reason


@dataclass(frozen=True, slots=True)
class Condition(Expression):
    """An expression that gives true or false."""

    wanted = cel.Type.BOOL
    noun = "true or false"

    def holds(self, activation: Activation) -> bool:
        """Whether the condition is true of this call; raises `ConditionError`."""
        return bool(self._value(activation))


@dataclass(frozen=True, slots=True)
class Text(Expression):
    """An expression that gives a text, such as the qualifier of a remembered answer."""

    wanted = cel.Type.STRING
    noun = "a text"

    def value(self, activation: Activation) -> str:
        """The text for this call; raises `ConditionError`."""
        return str(self._value(activation))


def _article(kind: cel.Type) -> str:
    names = {"INT": "a whole number", "DOUBLE": "a number", "STRING": "a text", "BOOL": "true or false", "NULL": "null"}
    if kind.name().startswith("optional_type"):
        return "an optional value"
    return names.get(kind.name(), f"a value of type {kind.name().lower()}")


def _condition(value: Any) -> Condition:
    return value if isinstance(value, Condition) else Condition.parse(_text(value), Declarations(after=True))


def _qualifier(value: Any) -> Text:
    return value if isinstance(value, Text) else Text.parse(_text(value), Declarations(after=True))


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise PydanticCustomError("cel_type", "should be a CEL expression; quote it", {"offset": 0, "hint": ""})
    return value


_SCHEMA = WithJsonSchema({"type": "string", "x-cel": True})

ConditionText = Annotated[Condition, PlainValidator(_condition), _SCHEMA]
"""A scalar of a manifest that is a condition; `within` checks it against the tools that it is about."""

TextText = Annotated[Text, PlainValidator(_qualifier), _SCHEMA]
"""A scalar of a manifest that is a CEL expression for a text."""
