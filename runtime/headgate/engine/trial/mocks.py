"""What stands in for the tools of an agent in a test."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from headgate.compile.fold import Bound
from headgate.compile.plan import BoundTool
from headgate.compile.trials import is_failure, is_sequence
from headgate.core.context import ToolContext
from headgate.core.errors import ToolError
from headgate.core.messages import ErrorInfo, Text, ToolCall, ToolResult
from headgate.core.ports import ToolNext
from headgate.engine.trial.verdict import Failure


@dataclass(slots=True)
class Mocks:
    """The mocked results by tool, and what went wrong with them; `safe` are the tools that may be called for real,
    `reached` the ids of the calls that came as far as a tool or its mock."""

    results: Mapping[str, Any]
    safe: frozenset[str]
    failures: list[Failure] = field(default_factory=list)
    reached: set[str] = field(default_factory=set)
    _calls: Counter[str] = field(default_factory=Counter)

    def over(self, tools: Bound) -> Bound:
        """The tools with their calls replaced, but for the safe ones that are not mocked."""
        return {name: (tool, self._heard(self._over(name, bound))) for name, (tool, bound) in tools.items()}

    def _heard(self, tool: BoundTool) -> BoundTool:
        async def call(wanted: ToolCall, ctx: ToolContext) -> ToolResult:
            self.reached.add(wanted.id)
            return await tool.call(wanted, ctx)

        return replace(tool, call=call)

    def _over(self, name: str, tool: BoundTool) -> BoundTool:
        if name not in self.results:
            return tool if name in self.safe else replace(tool, call=self._refuse, receive=None)
        return replace(tool, call=self._answer, receive=None)

    @property
    def _refuse(self) -> ToolNext:
        async def call(wanted: ToolCall, _ctx: ToolContext) -> ToolResult:
            hint = "add it to mocks; only function tools that are read_only and not open_world are called for real"
            self.failures.append(Failure(("mocks",), f"{wanted.name} was called, but is not mocked", hint=hint))
            raise ToolError("not_mocked", "the test has no mock of this tool")

        return call

    @property
    def _answer(self) -> ToolNext:
        async def call(wanted: ToolCall, _ctx: ToolContext) -> ToolResult:
            mock = self.results[wanted.name]
            self._calls[wanted.name] += 1
            number = self._calls[wanted.name]
            if not is_sequence(mock):
                return _result(mock)
            if number <= len(mock["results"]):
                return _result(mock["results"][number - 1])
            message = f"{wanted.name} was called {number} times, but its mock has {len(mock['results'])} results"
            self.failures.append(Failure(("mocks", wanted.name, "results"), message))
            raise ToolError("not_mocked", "the test's mock of this tool has no result left")

        return call


def _result(mock: Any) -> ToolResult:
    if is_failure(mock):
        error = mock["error"]
        info = ErrorInfo(error["code"], error.get("message", "as the test says"), bool(error.get("retryable")))
        return ToolResult(status="error", error=info)
    if isinstance(mock, str):
        return ToolResult(content=(Text(mock),))
    return ToolResult(structured=mock)
