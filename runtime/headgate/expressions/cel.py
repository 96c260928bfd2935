"""The CEL engine behind one small door: compile with positions, evaluate without surprises.

What is known of `cel-expr-python` 0.1.3 and guarded against here or by the callers: text is cut at its first NUL; a
lone surrogate raises instead of giving an error value; nesting of some ten thousand levels overruns the C++ stack;
`.value()` of a null result releases a reference to `None` that it does not own, which ends the process on Python 3.11
after some thousand times; an optional result has the type of an error, and no value; joining text in a loop is not
budgeted; a chain of `optMap` doubles the tree with each link.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from typing import Any

from cel_expr_python import cel
from cel_expr_python.ext import ext_optional
from pydantic_core import PydanticCustomError

from headgate.expressions.cel_types import RECORDS, ROOTS

MAX_SOURCE = 2048
"""Bytes of one expression, as UTF-8."""

MAX_OPTIONAL_MAPS = 4
"""Uses of `optMap` and `optFlatMap` in one expression: each writes what it is called on twice into the tree."""

_OPTIONAL_MAP = re.compile(r"\bopt(?:Flat)?Map\b")
_BAD_CHARACTER = re.compile(r"[\0\ud800-\udfff]")
_PLACED = re.compile(r"ERROR: <input>:(-?\d+):(-?\d+): ([^\n]*)")
_UNDECLARED = re.compile(r"undeclared reference to '([^']*)'")
_OVERLOAD = re.compile(r"found no matching overload for '([^']*)' applied to '([^']*)'")
_EXPECTING = re.compile(r"Syntax error: (?:mismatched|extraneous) input (.*?) expecting .*")
_TOKEN = re.compile(r"Syntax error: token recognition error at: (.*)")
_SYNTAX = ("Syntax error", "invalid", "Expression recursion", "Exceeded max recursion")
_HABITS = {
    "and": "write && for 'and'",
    "or": "write || for 'or'",
    "not": "write ! for 'not'",
    "=": "write == to compare",
    "is": "write == to compare",
}
FUNCTIONS = (
    *("has", "all", "exists", "exists_one", "map", "filter", "size", "contains", "startsWith", "endsWith", "matches"),
    *("int", "uint", "double", "string", "bool", "bytes", "type", "dyn", "timestamp", "duration"),
    *("getDate", "getDayOfMonth", "getDayOfWeek", "getDayOfYear", "getFullYear", "getHours", "getMilliseconds"),
    *("getMinutes", "getMonth", "getSeconds"),
    *("orValue", "or", "value", "hasValue", "optMap", "optFlatMap", "optional.of", "optional.none"),
)
"""The functions and macros of CEL that conditions have."""


def _environment(extra: Mapping[str, cel.Type]) -> cel.Env:
    return cel.NewEnv(variables={**ROOTS, **extra}, extensions=[ext_optional.ExtOptional()])


# Immutable, like all environments. Programs and activations come from the first, so that they fit one another.
_DYNAMIC = _environment({})
_RECORDS = _environment(RECORDS)


def compile_program(source: str) -> cel.Expression:
    """The program of `source`; raises `PydanticCustomError("cel_syntax" | "cel_type")` with `offset` and `hint`."""
    if len(source.encode("utf-8", "surrogatepass")) > MAX_SOURCE:
        raise fault("cel_syntax", f"the expression is longer than {MAX_SOURCE} bytes", min(MAX_SOURCE, len(source)))
    if bad := _BAD_CHARACTER.search(source):
        raise fault("cel_syntax", "the expression holds a character that is not text", bad.start())
    if not source.strip():
        raise fault("cel_syntax", "the expression is empty", 0)
    maps = [match.start() for match in _OPTIONAL_MAP.finditer(source)]
    if len(maps) > MAX_OPTIONAL_MAPS:
        told = f"optMap and optFlatMap may be used {MAX_OPTIONAL_MAPS} times"
        raise fault("cel_syntax", told, maps[MAX_OPTIONAL_MAPS], "use orValue() instead")
    return _compile(_DYNAMIC, source)


def check_types(source: str, types: Mapping[str, cel.Type]) -> cel.Type:
    """The result type of `source` when dotted names such as `args.amount` have these types; raises as compiling does.

    The members that every call has are typed anyway. An environment takes half a millisecond to make, so the one
    without further names is kept.
    """
    env = _environment({**RECORDS, **types}) if types else _RECORDS
    return _compile(env, source).return_type()


def new_activation(values: Mapping[str, Any]) -> cel.Activation:
    """What programs are evaluated on; `values` must be clean (see `values.clean`)."""
    return _DYNAMIC.Activation(dict(values))


def fault(kind: str, message: str, offset: int, hint: str = "") -> PydanticCustomError:
    """An error of an expression, `offset` characters into it."""
    return PydanticCustomError(kind, message, {"offset": offset, "hint": hint})


def near(word: str, words: tuple[str, ...], prefix: str = "") -> str:
    """The hint that names the word that was meant, or an empty one."""
    found = difflib.get_close_matches(word, words, n=1)
    return f"did you mean '{prefix}{found[0]}'?" if found else ""


def _compile(env: cel.Env, source: str) -> cel.Expression:
    try:
        return env.compile(source)
    except RuntimeError as error:
        raise _explain(str(error), source) from None


def _explain(text: str, source: str) -> PydanticCustomError:
    match = _PLACED.search(text)
    said = match[3].removesuffix(" [INVALID_ARGUMENT]") if match else text
    if "recursion" in said:
        hint = "split the rule in two, or test for one of several values with x in [...]"
        return fault("cel_syntax", "the expression is nested too deeply", 0, hint)
    offset = _offset(source, int(match[1]), int(match[2])) if match else 0
    kind = "cel_syntax" if said.startswith(_SYNTAX) else "cel_type"
    message, hint, moved = _words(said, source, offset)
    return fault(kind, message, moved, hint)


def _offset(source: str, line: int, column: int) -> int:
    """The engine counts lines by line feeds, and columns in characters from 1."""
    start = 0
    for _ in range(line - 1):
        start = source.find("\n", start) + 1
    return max(0, min(start + column - 1, len(source)))


def _words(said: str, source: str, offset: int) -> tuple[str, str, int]:
    """The engine's message in ours, a hint, and where the offending word begins."""
    if match := _UNDECLARED.match(said):
        return _undeclared(match[1], source, offset)
    if match := _OVERLOAD.match(said):
        operator = match[1].strip("_@").replace("_", " ")
        whole = re.search(r"double.*\b(int|uint)\b|\b(int|uint)\b.*double", match[2])
        hint = "beside a number with a fraction write 100.0, not 100" if whole else ""
        return f"{operator} cannot be applied to {match[2]}", hint, offset
    if match := _EXPECTING.match(said):
        return _unexpected(match[1], source, offset)
    if match := _TOKEN.match(said):
        return _unexpected(match[1], source, offset)
    return said.removeprefix("Syntax error: "), "", offset


def _undeclared(name: str, source: str, offset: int) -> tuple[str, str, int]:
    before = offset - len(name)
    if before >= 0 and source[before:offset] == name:
        offset = before  # the engine blames the parenthesis of a call
    if name == "has":
        return "has() takes one member, as in has(args.amount)", "", offset
    return f"undeclared reference to '{name}'", near(name, (*ROOTS, *FUNCTIONS)), offset


def _unexpected(token: str, source: str, offset: int) -> tuple[str, str, int]:
    if token == "'<EOF>'":
        return "the expression ends too early", "", len(source)
    word = token.strip("'").strip()
    hint = _HABITS.get(word, "")
    if word[:1] in ("'", '"') or token[1:2] in ("'", '"'):
        hint = "close the text with the quote that opens it, and write \\\\ for a backslash"
    return f"unexpected {token[:40]}", hint, offset
