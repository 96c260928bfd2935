"""JMESPath shapes: checked when the tree is loaded, evaluated with bounds on work and size."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Annotated, Any

import jmespath
from jmespath.exceptions import EmptyExpressionError, IncompleteExpressionError, JMESPathError, LexerError, ParseError
from pydantic import PlainValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from headgate.core.errors import ToolError
from headgate.core.scalars import Interpolated
from headgate.expressions.interpreter import Interpreter, ShapeFunctions
from headgate.expressions.values import NotJsonError, TooLargeError, json_size

MAX_SOURCE = 2048
"""Characters of one expression."""
MAX_RESULT = 1 << 20
"""Bytes of one result, as JSON."""

_RUNTIME = (ValueError, TypeError, ArithmeticError, LookupError, AttributeError, RecursionError)


@dataclass(frozen=True, slots=True)
class Shape:
    """A compiled JMESPath expression."""

    source: str
    tree: Any = field(repr=False, compare=False)

    @classmethod
    def parse(cls, text: str) -> Shape:
        """The shape of `text`; raises `PydanticCustomError("jmespath_syntax")` with the `offset` in its context.

        Unknown functions and wrong numbers of arguments are found here too, not at the first call.
        """
        if len(text) > MAX_SOURCE:
            raise _error(f"the expression is longer than {MAX_SOURCE} characters", MAX_SOURCE)
        if isinstance(text, Interpolated) and text.literal:
            raise _error("an expression cannot hold a reference", text.literal[0][0])
        tree = _parse(str(text))
        for node in _functions(tree):
            _check_call(str(text), node)
        return cls(str(text), tree)

    def apply(self, value: Any, limit: int = MAX_RESULT) -> Any:
        """The shaped JSON value.

        Raises `ToolError("invalid_result")` when the expression does not fit the value, takes too much work, or when
        its result is not JSON or larger than `limit` bytes.
        """
        try:
            result = Interpreter().visit(self.tree, value)
            json_size(result, limit)
        except TooLargeError as error:
            raise ToolError("invalid_result", f"the shaped result is {error}") from error
        except NotJsonError as error:
            raise ToolError("invalid_result", f"the shaped result is not JSON: {error}") from error
        except _RUNTIME as error:
            raise ToolError("invalid_result", f"the result does not fit its shape: {_reason(error)}") from error
        return result


def _parse(text: str) -> Any:
    try:
        return jmespath.compile(text).parsed
    except EmptyExpressionError:
        raise _error("the expression is empty", 0) from None
    except IncompleteExpressionError:
        raise _error("the expression ends too early", len(text)) from None
    except LexerError as error:
        raise _error(f"bad JMESPath: {error.message}", error.lexer_position) from None
    except ParseError as error:
        raise _error(f"unexpected {error.token_value!r} in the JMESPath expression", error.lex_position) from None
    except (JMESPathError, RecursionError, ValueError, TypeError):
        raise _error("the expression cannot be read as JMESPath", 0) from None


def _functions(node: Any) -> Iterator[dict[str, Any]]:
    stack = [node]
    while stack:
        each = stack.pop()
        if not isinstance(each, dict):
            continue
        if each["type"] == "function_expression":
            yield each
        stack.extend(each.get("children", ()))


def _check_call(text: str, node: dict[str, Any]) -> None:
    name, given = node["value"], len(node["children"])
    found = re.search(rf"(?<![\w\"'`]){re.escape(name)}\s*\(", text)
    offset = found.start() if found else 0
    entry = ShapeFunctions.FUNCTION_TABLE.get(name)
    if entry is None:
        near = difflib.get_close_matches(name, ShapeFunctions.FUNCTION_TABLE, n=1)
        known = ", ".join(sorted(ShapeFunctions.FUNCTION_TABLE))
        hint = f"did you mean {near[0]}()?" if near else f"there are {known}"
        raise _error(f"unknown function {name}(); {hint}", offset)
    wanted = entry["signature"]
    variadic = bool(wanted) and bool(wanted[-1].get("variadic"))
    if given < len(wanted) or (given > len(wanted) and not variadic):
        raise _error(f"{name}() takes {len(wanted)} arguments, not {given}", offset)


def _reason(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    return str(error).splitlines()[0][:200] if str(error) else type(error).__name__


def _error(message: str, offset: int) -> PydanticCustomError:
    return PydanticCustomError("jmespath_syntax", message, {"offset": offset})


def _validate(value: Any) -> Shape:
    if isinstance(value, Shape):
        return value
    if not isinstance(value, str):
        raise PydanticCustomError("shape_type", "should be a JMESPath expression")
    return Shape.parse(value)


ShapeText = Annotated[Shape, PlainValidator(_validate), WithJsonSchema({"type": "string", "x-jmespath": True})]
"""A scalar of a manifest that is a JMESPath expression."""
