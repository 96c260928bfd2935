"""What is left of a run when it has ended: what it said, what it called, what it cost, how it ended."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import msgspec

from headgate.core.events import (
    AttemptStarted,
    Event,
    MessageCompleted,
    RunCancelled,
    RunEnd,
    RunFailed,
    RunStarted,
    TextDelta,
    ToolCompleted,
    ToolStarted,
)
from headgate.core.messages import ErrorInfo, Usage


@dataclass(slots=True)
class Answer:
    """Collects the events of one run; `error` may be given for a run that could not be had."""

    agent: str
    run: str = ""
    revision: str = ""
    model: str = ""
    error: ErrorInfo | None = None
    _end: RunEnd | None = None
    _turns: list[str] = field(default_factory=list)
    _saying: list[str] = field(default_factory=list)
    _tools: dict[str, dict[str, Any]] = field(default_factory=dict)

    def add(self, event: Event) -> None:
        """Takes one event."""
        match event:
            case RunStarted():
                self.run, self.revision, self.model = event.run, event.revision, event.model
            case TextDelta():
                self._saying.append(event.text)
            case AttemptStarted():
                self._saying.clear()
            case MessageCompleted():
                self.model = event.model or self.model
                self._close()
            case ToolStarted():
                self._close()
                self._tools[event.call_id] = {"name": event.name, "status": "unknown", "duration_ms": None}
            case ToolCompleted():
                told = {"name": event.name, "status": event.result.status, "duration_ms": event.duration_ms}
                self._tools[event.call_id] = told
            case RunEnd():
                self._finish(event)

    def _close(self) -> None:
        """The turn's text can no longer become void."""
        if self._saying:
            self._turns.append("".join(self._saying))
            self._saying.clear()

    def _finish(self, event: RunEnd) -> None:
        self._close()
        self._end = event
        if isinstance(event, RunFailed):
            self.error = event.error
        elif isinstance(event, RunCancelled):
            self.error = ErrorInfo(event.outcome, event.reason)

    @property
    def text(self) -> str:
        """The answer: the text of the last turn that had any."""
        return self._turns[-1] if self._turns else ""

    @property
    def said(self) -> str:
        """All that was said, before, between and after the tool calls: what the conversation goes on with."""
        return "".join(self._turns)

    @property
    def outcome(self) -> str:
        """How the run ended."""
        return self._end.outcome if self._end is not None else "error"

    def report(self) -> dict[str, Any]:
        """The JSON form; what is not known is null."""
        end = self._end
        known = end is not None and end.usage != Usage()
        report: dict[str, Any] = {
            "run": self.run or None,
            "agent": self.agent,
            "revision": self.revision or None,
            "model": self.model or None,
            "outcome": self.outcome,
            "text": self.text,
            "usage": msgspec.structs.asdict(end.usage) if end is not None and known else None,
            "cost": end.cost if end is not None and known else None,
            "turns": end.turns if end is not None else 0,
        }
        if self.error is not None:
            report["error"] = {"code": self.error.code, "message": self.error.message}
        return report | {"tools": list(self._tools.values())}
