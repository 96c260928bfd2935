"""The back end of the tools: executes the functions of a suite in the world of a case."""

from __future__ import annotations

from typing import Any

from agentdojo.agent_pipeline.tool_execution import tool_result_to_str
from agentdojo.functions_runtime import FunctionCall, FunctionsRuntime

from dojo.cases import Case


class Backend:
    """Executes calls in the world of the case that is on, and keeps what it has executed."""

    def __init__(self) -> None:
        self.case: Case | None = None
        self.made: list[FunctionCall] = []

    def enter(self, case: Case) -> None:
        """From now on calls are made in this case's world."""
        self.case, self.made = case, []

    def call(self, name: str, args: dict[str, Any]) -> tuple[int, str]:
        """The status and the text of the answer to `POST /name`."""
        if self.case is None:
            return 503, "no case is on"
        self.made.append(FunctionCall(function=name, args=args))
        result, error = FunctionsRuntime(self.case.suite.tools).run_function(self.case.env, name, args)
        return (422, error) if error else (200, tool_result_to_str(result))
