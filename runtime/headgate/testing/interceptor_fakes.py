"""What an interceptor stands between in tests: contexts that hear what it says, a tool and a model behind it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from headgate.core.context import Action, Mode, RunContext, SessionInfo, ToolContext
from headgate.core.messages import ErrorInfo, Message, Text, ToolCall, ToolResult, Usage
from headgate.core.ports import Annotations, ModelEvent, ModelRequest, TextChunk, ToolDefinition, TurnDone

LOOKUP = ToolDefinition(
    "lookup", "Looks a thing up.", {"type": "object"}, Annotations(True, False, True, False), kind="function"
)
"""A tool that nobody needs to be afraid of."""
INNOCENT = ToolResult(structured={"found": True})
CUT_OFF = ErrorInfo("provider_cut_off", "the model's turn was cut off", retryable=True)
PROSE = "The plan of the customer is the one that was asked for, and it goes on. "


@dataclass
class Listener:
    """Makes contexts, and keeps what an interceptor says through them."""

    decisions: list[tuple[str, Action, str, Mode]] = field(default_factory=list)
    output: list[tuple[str, str]] = field(default_factory=list)
    events: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    marks: dict[str, str] = field(default_factory=dict)
    notes: list[tuple[str, str, str, dict[str, Any]]] = field(default_factory=list)

    def turn(self, **keys: Any) -> RunContext:
        """The context of a model turn."""
        session = SessionInfo("sess_1", team="ops", key="local")
        return replace(RunContext("run_1", 1, "assistant", session, decide=self._decide, note=self._note), **keys)

    def call(self, tool: ToolDefinition | None = LOOKUP, timeout: float = 10.0, **keys: Any) -> ToolContext:
        """The context of a call that may take `timeout` seconds from now; `keys` are those of the turn's."""
        within, clock = self.turn(**keys), asyncio.get_running_loop().time
        return ToolContext(
            run=within.run, step=2, call_id="call_1", agent=within.agent, session=within.session,
            deadline=clock() + timeout, emit=lambda kind, /, **data: self.events.append((kind, data)),
            output=lambda stream, text, /: self.output.append((stream, text)), idempotency_key="run_1:2",
            within=within, tool=tool, mark=self.marks.__setitem__, clock=clock,
        )  # fmt: skip

    def _note(self, kind: str, policy: str, outcome: str, details: dict[str, Any], /) -> None:
        self.notes.append((kind, policy, outcome, details))

    def _decide(self, policy: str, action: Action, code: str, _message: str, /, *, mode: Mode) -> None:
        self.decisions.append((policy, action, code, mode))


@dataclass
class Tool:
    """The tool behind an interceptor: it keeps what it was called with; it answers the results in turn, the last of
    them again and again."""

    results: Sequence[ToolResult] = (INNOCENT,)
    calls: list[ToolCall] = field(default_factory=list)

    async def __call__(self, call: ToolCall, _ctx: ToolContext, /) -> ToolResult:
        self.calls.append(call)
        return self.results[min(len(self.calls), len(self.results)) - 1]


@dataclass
class Turn:
    """The model behind an interceptor: it tells these events, and says whether it was closed before its end."""

    events: Sequence[ModelEvent]
    asked: list[ModelRequest] = field(default_factory=list)
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    endless: bool = False
    closed: bool = False

    async def __call__(self, request: ModelRequest, /) -> AsyncGenerator[ModelEvent]:
        self.asked.append(request)
        try:
            for event in self.events:
                yield event
            self.begun.set()
            if self.endless:
                await asyncio.Event().wait()
        finally:
            self.closed = True


def saying(*pieces: str) -> Turn:
    """A turn that says these pieces."""
    done = TurnDone(Message("assistant", (Text("".join(pieces)),)), Usage(input=10, output=5), "end", "m", 0.5)
    return Turn((*map(TextChunk, pieces), done))


def asking(*texts: str) -> ModelRequest:
    """A request in which the user has said these texts, one a message."""
    return ModelRequest("m", "You help.", tuple(Message("user", (Text(each),)) for each in texts))


def calling(name: str = "lookup", **args: Any) -> ToolCall:
    """A call of a tool."""
    return ToolCall("call_1", name, args)
