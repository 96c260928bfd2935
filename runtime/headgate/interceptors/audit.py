"""Interceptors of kind `audit`: calls and turns in the audit log, in as much detail as the manifest says."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable
from contextlib import aclosing
from time import monotonic
from typing import Annotated, Any, Literal

from pydantic import Field

from headgate.core.context import RunContext, ToolContext
from headgate.core.errors import GatewayError
from headgate.core.kind import Env, Finding, Kind, Scope
from headgate.core.messages import Message, ToolCall, ToolResult
from headgate.core.ports import ModelEvent, ModelNext, ModelRequest, ToolNext, TurnDone
from headgate.core.scalars import Size
from headgate.interceptors.audit_detail import Detail, noted, redactor
from headgate.interceptors.common import InterceptorSpec, Passing, Touched

CALL, TURN = "audit.call", "audit.turn"
"""The kinds of the records."""


class AuditSpec(InterceptorSpec):
    """Has the audit log tell of calls and turns what its own records leave out. It changes and refuses nothing."""

    kind: Literal["audit"]
    arguments: Detail | Literal["none"] = "shape"
    """What is written down of the arguments: their types and the names of members, one SHA-256, or all of them."""
    results: Detail | Literal["none"] = "shape"
    """The same of results."""
    turns: Detail | Literal["none"] = "none"
    """The same of what the model is told last, and of what it answers."""
    max: Annotated[Size, Field(ge=64, le=1 << 20)] = 8 << 10
    """How much of each `full` writes down; of what is larger there is the shape."""

    @property
    def touches(self) -> Touched:
        """See `InterceptorSpec.touches`."""
        calls: Touched = frozenset({"tool"} if {self.arguments, self.results} != {"none"} else ())
        return calls | frozenset({"model"}) if self.turns != "none" else calls


class Audit(Passing):
    """Watches; what it sees is kept with the next transaction of the run."""

    def __init__(self, spec: AuditSpec, name: str, scrub: Callable[[str], str]) -> None:
        self._spec = spec
        self._name = name
        self._redact = redactor(scrub)
        self.touches = spec.touches

    async def around_tool(self, ctx: ToolContext, call: ToolCall, call_next: ToolNext, /) -> ToolResult:
        """The call as it is; one that fails or is cancelled is told, too."""
        if ctx.within is None or self._spec.touches.isdisjoint({"tool"}):
            return await call_next(call, ctx)
        began, outcome, result = monotonic(), "error", None
        try:
            result = await call_next(call, ctx)
            outcome = result.status
        except GatewayError as error:
            outcome = error.code
            raise
        except (asyncio.CancelledError, GeneratorExit):
            outcome = "cancelled"
            raise
        finally:
            took = {"duration_ms": int((monotonic() - began) * 1000)}
            told = self._told("arguments", call.args, self._spec.arguments)
            if result is not None:
                told |= self._told("result", result.payload, self._spec.results)
            ctx.within.note(CALL, self._name, outcome, {**took, **told})
        return result

    async def around_model(
        self, ctx: RunContext, request: ModelRequest, call_next: ModelNext, /
    ) -> AsyncGenerator[ModelEvent]:
        """The turn as it is; one that is broken off is told, too."""
        began, outcome, done = monotonic(), "error", None
        try:
            async with aclosing(call_next(request)) as events:
                async for event in events:
                    if isinstance(event, TurnDone):
                        done, outcome = event, event.stop
                    yield event
        except GatewayError as error:
            outcome = error.code
            raise
        except (asyncio.CancelledError, GeneratorExit):
            outcome = done.stop if done is not None else "cancelled"  # who has the whole turn reads no further
            raise
        finally:
            details = {"model": request.model, "messages": len(request.messages)}
            details |= self._told("asked", _plain(request.messages[-1:]), self._spec.turns)
            if done is not None:
                details |= {"model": done.model, **self._told("answer", _plain([done.message]), self._spec.turns)}
            ctx.note(TURN, self._name, outcome, {"duration_ms": int((monotonic() - began) * 1000), **details})

    def _told(self, name: str, value: Any, detail: Detail | Literal["none"]) -> dict[str, Any]:
        return {} if detail == "none" else noted(name, value, detail, self._spec.max, self._redact)


def _plain(messages: Iterable[Message]) -> dict[str, Any]:
    """What is said and called in messages."""
    texts, calls = [], []
    for message in messages:
        texts.append(message.text)
        calls += [{"name": call.name, "arguments": call.args} for call in message.calls]
    return {"text": "\n".join(filter(None, texts)), "calls": calls}


def check(spec: AuditSpec, _scope: Scope) -> Iterable[Finding]:
    """It writes something down, and there is no half of it."""
    if not spec.touches:
        yield Finding((), "HG1206", "the interceptor writes nothing down", "set arguments, results or turns")
    if spec.mode != "enforce":
        said = "an interceptor of the kind audit holds up nothing that it could be mild about"
        yield Finding(("mode",), "HG1206", said, "remove mode")


@contextlib.asynccontextmanager
async def open_interceptor(spec: AuditSpec, env: Env) -> AsyncIterator[Audit]:
    """The interceptor; it holds nothing."""
    yield Audit(spec, env.name, env.scrub)


KIND: Kind[AuditSpec, Audit] = Kind(
    "audit", "Calls and turns in the audit log, in more detail.", AuditSpec, open_interceptor, check
)
"""The registration of the kind."""
