"""What tests of interceptors stand on: one that is open, contexts that hear what it says, and a call behind it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from headgate.core.context import RunContext, SessionInfo, ToolContext
from headgate.core.kind import Env, Kind, Scope
from headgate.core.messages import Message, Text, ToolCall, ToolResult, Usage
from headgate.core.ports import (
    Annotations,
    Interceptor,
    Model,
    ModelEvent,
    ModelRequest,
    TextChunk,
    ToolDefinition,
    TurnDone,
)
from headgate.net.client import open_client
from headgate.net.egress import Egress

DONE = ToolResult(structured={"done": True})
USAGE = Usage(input=10, output=5)
Said = tuple[str, str, str, str]
"""A decision: its policy, action, code and mode."""


@contextlib.asynccontextmanager
async def opened(
    kind: Kind[Any, Interceptor], body: dict[str, Any], *, model: Callable[[str], Model] | None = None,
    allow: tuple[str, ...] = ("127.0.0.1",),
) -> AsyncIterator[Interceptor]:  # fmt: skip
    """The interceptor `sample` of a table without findings."""
    spec = kind.spec.model_validate({"kind": kind.name, **body})
    assert not list(kind.check(spec, Scope("sample")))
    async with open_client(Egress(allow)) as client:
        env = Env("sample", client, read=lambda path: path.encode())
        async with kind.open(spec, replace(env, model=model) if model else env) as interceptor:
            yield interceptor


@dataclass
class Ear:
    """Makes contexts, and keeps what an interceptor says through them."""

    decisions: list[Said] = field(default_factory=list)
    marks: dict[str, str] = field(default_factory=dict)
    spent: list[tuple[Usage, float | None]] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)

    def run(self, **keys: Any) -> RunContext:
        """The context of a model turn."""
        base = RunContext("run_1", 1, "helper", SessionInfo("sess_1", "ops", "local", None))
        return replace(base, decide=self._decide, spend=lambda done: self.spent.append((done.usage, done.cost)), **keys)

    def tool(self, tool: ToolDefinition | None = None, **keys: Any) -> ToolContext:
        """The context of a call."""
        run = self.run(**keys)
        clock = asyncio.get_running_loop().time
        return ToolContext(
            run=run.run, step=2, call_id="call_1", agent=run.agent, session=run.session, deadline=clock() + 60,
            emit=lambda _kind, /, **_data: None, output=lambda _stream, _text, /: None, idempotency_key="run_1:2",
            within=run, tool=tool, mark=self.marks.__setitem__, clock=clock,
        )  # fmt: skip

    def _decide(self, policy: str, action: str, code: str, message: str, /, *, mode: str) -> None:
        self.decisions.append((policy, action, code, mode))
        self.messages.append(message)


def definition(name: str = "send", **hints: bool) -> ToolDefinition:
    """A tool that behaves like this."""
    return ToolDefinition(name, "Does it.", {"type": "object"}, Annotations(**hints), kind="function")


@dataclass
class Behind:
    """The tool behind an interceptor: it answers `result` and keeps what it was called with."""

    result: ToolResult = DONE
    calls: list[dict[str, Any] | None] = field(default_factory=list)

    async def __call__(self, call: ToolCall, _ctx: ToolContext) -> ToolResult:
        self.calls.append(call.args)
        return self.result


def called(name: str = "send", **args: Any) -> ToolCall:
    """A call."""
    return ToolCall("call_1", name, args)


def asking(*texts: str) -> ModelRequest:
    """A request in which the user has said these texts, one a message."""
    return ModelRequest("m", "You help.", tuple(Message("user", (Text(each),)) for each in texts))


@dataclass
class Speaking:
    """A model that says these pieces; `cost` is that of its turn."""

    pieces: Sequence[str] = ("Hello ", "there")
    usage: Usage = USAGE
    cost: float | None = 0.5
    asked: list[ModelRequest] = field(default_factory=list)

    async def __call__(self, request: ModelRequest) -> AsyncGenerator[ModelEvent]:
        self.asked.append(request)
        for piece in self.pieces:
            yield TextChunk(piece)
        yield TurnDone(Message("assistant", (Text("".join(self.pieces)),)), self.usage, "end", "m", self.cost)

    stream = __call__


async def told(events: AsyncGenerator[ModelEvent], to: list[ModelEvent]) -> None:
    """Reads a turn to its end, or to what ends it, and keeps what it told."""
    async for event in events:
        to.append(event)  # noqa: PERF401 -- what was told before a failure counts


async def heard(events: AsyncGenerator[ModelEvent]) -> list[str]:
    """The texts that a turn tells before it is whole."""
    return [event.text async for event in events if isinstance(event, TextChunk)]
