"""One interceptor around one model turn: enforced, or watched, when nothing comes of what it does."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import replace

import msgspec

from headgate.compile.applied_calls import Say
from headgate.core.context import RunContext
from headgate.core.errors import GatewayError, PolicyRefused
from headgate.core.messages import ErrorInfo, Message, Text, Usage
from headgate.core.ports import (
    Interceptor,
    ModelCall,
    ModelEvent,
    ModelRequest,
    Restarted,
    TextChunk,
    TurnDone,
)

CHANGED = PolicyRefused("it changed the answer or what was asked", code="changed")
WOULD_CHANGE = PolicyRefused("it would have changed the answer or what was asked", code="would_change")


class _Inner:
    """The turns that an interceptor has made; what it leaves open is closed with it."""

    def __init__(self, ctx: RunContext, request: ModelRequest, inner: ModelCall) -> None:
        self._ctx, self._request, self._inner = ctx, request, inner
        self._open: list[AsyncGenerator[ModelEvent]] = []
        self._other = False
        self.done: list[TurnDone] = []

    def __call__(self, wanted: ModelRequest) -> AsyncGenerator[ModelEvent]:
        self._other = self._other or wanted is not self._request
        events = self._events(wanted)
        self._open.append(events)
        return events

    async def _events(self, wanted: ModelRequest) -> AsyncGenerator[ModelEvent]:
        async with aclosing(self._inner(self._ctx, wanted)) as events:
            async for event in events:
                if isinstance(event, TurnDone):
                    self.done.append(event)
                yield event

    def differs(self, done: TurnDone) -> bool:
        """Whether the interceptor made something else of the turn."""
        return self._other or len(self.done) != 1 or (done is not self.done[0] and done != self.done[0])

    async def close(self) -> None:
        """An interceptor that stops reading need not close what it has read from."""
        for events in self._open:
            await events.aclose()


async def enforced(
    interceptor: Interceptor, ctx: RunContext, request: ModelRequest, inner: ModelCall, say: Say
) -> AsyncGenerator[ModelEvent]:
    """The turn behind the interceptor. What was told before a refusal is void, and the refusal told in its place."""
    turns, attempt, told = _Inner(ctx, request, inner), 0, False
    try:
        async with aclosing(interceptor.around_model(ctx, request, turns)) as events:
            async for event in events:
                if isinstance(event, TurnDone):
                    if turns.differs(event):
                        say("change", CHANGED)
                    yield event
                    return
                if isinstance(event, Restarted):
                    told, attempt = False, event.attempt
                else:
                    told = True
                yield event
    except PolicyRefused as refused:
        await turns.close()
        say("deny", refused)
        if told:
            yield Restarted(attempt + 1, ErrorInfo(refused.code, refused.message), 0.0, request.model)
        yield TextChunk(refused.message)
        yield _replacement(refused, request, turns.done)
    finally:
        await turns.close()


async def watched(
    interceptor: Interceptor, ctx: RunContext, request: ModelRequest, inner: ModelCall, say: Say
) -> AsyncGenerator[ModelEvent]:
    """The turn as it is; when it is whole the interceptor is shown it, as if it stood around it."""
    heard: list[ModelEvent] = []
    async with aclosing(inner(ctx, request)) as events:
        async for event in events:
            if isinstance(event, Restarted):
                heard.clear()
            else:
                heard.append(event)
            if isinstance(event, TurnDone):
                await _review(interceptor, replace(ctx, watched=True), request, heard, say)
            yield event


async def _review(
    interceptor: Interceptor, ctx: RunContext, request: ModelRequest, heard: Sequence[ModelEvent], say: Say
) -> None:
    async def again(_ctx: RunContext, _wanted: ModelRequest) -> AsyncGenerator[ModelEvent]:
        for event in heard:
            yield event

    turns = _Inner(ctx, request, again)
    try:
        async with aclosing(interceptor.around_model(ctx, request, turns)) as events:
            async for event in events:
                if isinstance(event, TurnDone) and turns.differs(event):
                    say("change", WOULD_CHANGE)
    except GatewayError as error:
        say("deny", error)
    finally:
        await turns.close()


def _replacement(refused: PolicyRefused, request: ModelRequest, made: Sequence[TurnDone]) -> TurnDone:
    """A whole turn that says why there is no other; what the refused ones took is paid for."""
    message = Message("assistant", (Text(refused.message),))
    if not made:
        return TurnDone(message, Usage(), "end", request.model, replaced=True)
    costs = [each.cost for each in made]
    cost = None if None in costs else sum(each for each in costs if each is not None)
    usage = sum((each.usage for each in made), start=Usage())
    return msgspec.structs.replace(
        made[-1], message=message, usage=usage, stop="end", cost=cost, cut=False, replaced=True
    )
