"""Exact arithmetic on what a model writes: an expression is walked, never executed."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Annotated

from pydantic import Field

from headgate.core.errors import ToolError

_LONGEST = 500
_LARGEST_POWER = 1_000
_LARGEST = Fraction(10) ** 2_000
_BINARY: Mapping[type[ast.operator], Callable[[Fraction, Fraction], Fraction]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Mod: operator.mod,
    ast.FloorDiv: lambda a, b: Fraction(a // b),
}


def calculate(
    expression: Annotated[str, Field(description="Numbers with + - * / // % ** and parentheses", max_length=_LONGEST)],
) -> dict[str, str | float]:
    """The value of an arithmetic expression, as a fraction and as a number; raises `ToolError` when it has none."""
    try:
        value = _value(ast.parse(expression.strip(), mode="eval").body)
        return {"expression": expression, "value": float(value), "exact": str(value)}
    except ZeroDivisionError:
        raise ToolError("division_by_zero", "the expression divides by zero") from None
    except OverflowError:
        raise ToolError("too_large", "the value is too large for a number") from None
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise ToolError("not_arithmetic", "write numbers with + - * / // % ** and parentheses") from None


def _value(node: ast.expr) -> Fraction:
    match node:
        case ast.Constant(value=int() | float() as number) if not isinstance(number, bool):
            return Fraction(str(number))
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_value(operand)
        case ast.UnaryOp(op=ast.UAdd(), operand=operand):
            return _value(operand)
        case ast.BinOp(left=left, op=ast.Pow(), right=right):
            return _bounded(_power(_value(left), _value(right)))
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _BINARY:
            return _bounded(_BINARY[type(op)](_value(left), _value(right)))
    raise ValueError


def _power(base: Fraction, exponent: Fraction) -> Fraction:
    if abs(exponent) > _LARGEST_POWER or max(abs(base.numerator), base.denominator) > 10**50:
        raise OverflowError
    if exponent.denominator != 1:
        return Fraction(str(float(base) ** float(exponent)))
    return base ** int(exponent)


def _bounded(value: Fraction) -> Fraction:
    if abs(value) > _LARGEST:
        raise OverflowError
    return value
