"""Whether the expressions of rules are of the types of the tool that they are about."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic_core import PydanticCustomError

from headgate.compile.decode import finding_of
from headgate.compile.draft import Draft
from headgate.core.glob import is_glob
from headgate.core.kind import Finding, Key
from headgate.expressions.cel_types import Declarations
from headgate.expressions.condition import Expression
from headgate.tools.common import ToolSpec


def mistyped(expression: Expression | None, args: Mapping[str, Any] | None, key: Key) -> Iterator[Finding]:
    """What is wrong with the expression at `key`, which is asked before the call, about arguments of this schema."""
    if expression is None:
        return
    try:
        expression.within(Declarations(args=args))
    except PydanticCustomError as error:
        yield finding_of(error, key)


def arguments_of(draft: Draft, tools: Sequence[str]) -> Mapping[str, Any] | None:
    """The input schema, if a rule is about calls of just one tool that states it."""
    if len(tools) != 1 or is_glob(tools[0]):
        return None
    item = draft.tools.get(tools[0])
    return item.spec.input if item is not None and isinstance(item.spec, ToolSpec) else None
