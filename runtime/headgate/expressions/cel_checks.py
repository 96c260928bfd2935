"""What is checked of an expression beyond the engine's own checks: members, types of members, patterns and work."""

from __future__ import annotations

import re
from collections.abc import Iterator

from cel_expr_python import cel

from headgate.expressions.activation import Extent
from headgate.expressions.cel import check_types, compile_program, fault, near, new_activation
from headgate.expressions.cel_paths import Reference, Steps, references
from headgate.expressions.cel_tree import Node, walk
from headgate.expressions.cel_types import RECORDS, Declarations, cel_type, member, members
from headgate.expressions.cel_work import WorkError, check_work

_IDENTIFIER = re.compile(r"[A-Za-z_]\w*", re.ASCII)


def result_type(source: str, program: cel.Expression, tree: Node, scope: Declarations) -> cel.Type:
    """Checks an expression that compiles against what its names are, and answers its type.

    Raises `PydanticCustomError("cel_type")` at the first member that cannot exist, value of the wrong type, pattern
    that is not one, or loop that would take too much work whatever it is asked about.
    """
    found = tuple(references(tree, source))
    for reference in found:
        _check_members(reference, scope)
    _check_patterns(tree)
    _check_loops(tree)
    return _check_types(source, program, found, scope)


def _check_members(reference: Reference, scope: Declarations) -> None:
    root = reference.steps[0]
    if root == "result" and not scope.after:
        raise fault("cel_type", "there is no 'result' before the call", reference.offsets[0])
    schema = scope.schema(str(root))
    for at, step in enumerate(reference.steps[1:], start=1):
        known = members(schema)
        if known is not None and isinstance(step, str) and step not in known:
            whole = _spell(reference.steps[:at])
            hint = near(step, known, f"{whole}.") or f"{whole} has {', '.join(known) or 'no members'}"
            raise fault("cel_type", f"there is no '{whole}.{step}'", reference.offsets[at], hint)
        schema = member(schema, step)


def _spell(steps: Steps) -> str:
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps).lstrip(".")


def _check_patterns(tree: Node) -> None:
    for node in walk(tree):
        if node.kind != "call" or node.name != "matches" or len(node.parts) != 2:
            continue
        pattern = node.parts[1]
        if pattern.kind != "const" or not isinstance(pattern.value, str):
            hint = "compare with ==, contains() or startsWith() instead"
            raise fault("cel_type", "the pattern of matches() must be written out", pattern.offset, hint)
        _check_pattern(pattern)


def _check_pattern(pattern: Node) -> None:
    """Tries the pattern: the engine compiles it when it is used, not before."""
    value = compile_program('"".matches(args.pattern)').eval(new_activation({"args": {"pattern": pattern.value}}))
    if value.type() == cel.Type.ERROR:
        reason = str(value.value()).rpartition("expression: ")[2]
        hint = "patterns have the syntax of RE2"
        raise fault("cel_type", f"bad pattern: {reason}", pattern.offset, hint)


def _check_loops(tree: Node) -> None:
    try:
        check_work(tree, lambda _steps: Extent(1, 1))
    except WorkError as error:
        raise fault("cel_type", f"the expression takes too much work: {error}", 0) from None


def _check_types(source: str, program: cel.Expression, found: tuple[Reference, ...], scope: Declarations) -> cel.Type:
    """Checks once more with typed names, and answers the result type.

    The engine's checker takes `has(a.b)` for `a.b` itself once `a.b` is declared, so each such test is replaced by
    `true` and blanks of the same length; where one cannot be told apart in the source, the names stay untyped.
    """
    types = {name: kind for reference in found for name, kind in _types(reference, scope)}
    for reference in found:
        if reference.test and reference.dotted == len(reference.steps) and _spell(reference.steps) in types:
            if reference.mask is None:
                return program.return_type()
            source = _mask(source, *reference.mask)
    return check_types(source, {name: kind for name, kind in types.items() if name not in RECORDS})


def _types(reference: Reference, scope: Declarations) -> Iterator[tuple[str, cel.Type]]:
    schema = scope.schema(str(reference.steps[0]))
    for at in range(1, reference.dotted):
        step = reference.steps[at]
        if not isinstance(step, str) or not _IDENTIFIER.fullmatch(step):
            return
        schema = member(schema, step)
        kind = cel_type(schema)
        if kind != cel.Type.DYN:
            yield _spell(reference.steps[: at + 1]), kind


def _mask(source: str, start: int, end: int) -> str:
    # "has(" gives the room; line feeds stay, so that lines and columns do.
    hidden = re.sub(r"[^\n]", " ", source[start + 4 : end])
    return f"{source[:start]}true{hidden}{source[end:]}"
