"""The JMESPath functions of the gateway, and an interpreter whose work is bounded."""

from __future__ import annotations

from typing import Any, TypeVar

from jmespath.functions import Functions, signature
from jmespath.visitor import Options, TreeInterpreter

from headgate.expressions.values import json_size

WORK = 4_000_000
"""List items made plus characters written by functions plus nodes visited, for one evaluation."""

T = TypeVar("T")


class ExhaustedError(ValueError):
    """An expression that would take more than its budget of work."""


class ShapeFunctions(Functions):
    """The standard functions, with a bound on those that can multiply text, plus `truncate` and `join_lines`."""

    @signature({"types": ["string"]}, {"types": ["array-string"]})
    def _func_join(self, separator: str, items: list[str]) -> str:
        return _join(separator, items)

    @signature({"types": ["array-string"]})
    def _func_join_lines(self, items: list[str]) -> str:
        return _join("\n", items)

    @signature({"types": ["string"]}, {"types": ["number"]})
    def _func_truncate(self, text: str, length: float) -> str:
        return text[: max(0, int(length))]

    @signature({"types": []})
    def _func_to_string(self, value: Any) -> str:
        if not isinstance(value, str):
            json_size(value, WORK)
        text: str = Functions._func_to_string(self, value)  # type: ignore[attr-defined]
        return text


def _join(separator: str, items: list[str]) -> str:
    if sum(map(len, items)) + len(separator) * len(items) > WORK:
        raise ExhaustedError("the joined text is too long")
    return separator.join(items)


class Interpreter(TreeInterpreter):
    """Evaluates one expression once.

    JMESPath always ends, but `[@, @][]` doubles a list each time it is written, so a short expression could fill the
    memory; counting what is made stops it.
    """

    def __init__(self) -> None:
        super().__init__(Options(custom_functions=ShapeFunctions()))
        self._left = WORK

    def visit(self, node: Any, *args: Any, **kwargs: Any) -> Any:
        """The value of one node; raises `ExhaustedError`."""
        result = super().visit(node, *args, **kwargs)
        self._left -= 1
        if isinstance(result, list) or (isinstance(result, str) and node["type"] == "function_expression"):
            self._left -= len(result)
        if self._left < 0:
            raise ExhaustedError("the expression takes too much work")
        return result
