"""Whether the expressions of rules are of the types of the tool that they are about."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from pydantic_core import PydanticCustomError

from headgate.compile.decode import finding_of
from headgate.compile.draft import Draft, Site
from headgate.core.glob import is_glob
from headgate.core.kind import Finding, Key, Scope
from headgate.core.ports import Tool
from headgate.expressions.cel_types import Declarations
from headgate.expressions.condition import Expression
from headgate.interceptors.common import InterceptorSpec
from headgate.manifest.diagnostics import Diagnostic
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
    """The input schema, if a rule is about calls of just one tool, and its manifest or its kind can tell."""
    item = draft.tools.get(alone(tools))
    if item is None or item.kind is None or not isinstance(item.spec, ToolSpec):
        return None
    packages = draft.gateway.functions.packages if draft.gateway is not None else ()
    return item.spec.input or item.kind.arguments(item.spec, Scope(item.name, packages))


def alone(tools: Sequence[str]) -> str:
    """The one tool that a rule is about; "" when it may be about several."""
    return "" if len(tools) != 1 or is_glob(tools[0]) else tools[0]


def check_listed(draft: Draft, tools: Mapping[str, Tool]) -> Iterator[Diagnostic]:
    """The same of tools whose arguments are known only when a server has listed them: warnings, because the server may
    list others tomorrow."""
    for site, key, globs, expression in _rules(draft):
        tool = tools.get(alone(globs))
        if tool is None or arguments_of(draft, globs) is not None:
            continue
        for finding in mistyped(expression, tool.definition.input_schema, key):
            yield site.locate(replace(finding, severity="warning"))


def _rules(draft: Draft) -> Iterator[tuple[Site, Key, Sequence[str], Expression | None]]:
    """Every expression that is asked before calls, with its place and what it is about."""
    if draft.gateway is not None and draft.gateway_site is not None:
        for name, policy in draft.gateway.approvals.items():
            yield draft.gateway_site, ("approvals", name, "when"), policy.tools, policy.when
            yield draft.gateway_site, ("approvals", name, "qualifier"), policy.tools, policy.qualifier
    for item in draft.interceptors.values():
        if isinstance(item.spec, InterceptorSpec) and "model" not in item.spec.touches:
            yield item.site, (*item.site.key, "when"), item.spec.tools, item.spec.when
