"""Interceptors around model turns: enforced, warned about, only counted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import pytest

from headgate.compile.applied import Applied, model_chain
from headgate.core.context import Mode, RunContext
from headgate.core.errors import GatewayError
from headgate.core.messages import ErrorInfo, Message, Text, Usage
from headgate.core.ports import (
    ModelCall,
    ModelEvent,
    ModelNext,
    ModelRequest,
    Restarted,
    TextChunk,
    TurnDone,
)
from headgate.testing.interceptor_kit import Listener, Turn, asking, saying, text_of
from tests.compile.applying import MODES, REFUSED, Sample, applied


def behind(turn: Turn, *interceptors: Applied) -> ModelCall:
    """The turn behind the interceptors."""
    return model_chain(interceptors, lambda _ctx, request: turn(request))


async def heard(turn: Turn, *interceptors: Applied, listener: Listener | None = None) -> list[ModelEvent]:
    """All that is told of the turn behind the interceptors."""
    ctx = (listener or Listener()).turn()
    return [event async for event in behind(turn, *interceptors)(ctx, asking("Hello?"))]


async def test_a_refusal_before_the_turn_asks_no_model() -> None:
    """The refusal is the answer, and costs nothing."""
    turn, listener = saying("Hello."), Listener()
    events = await heard(turn, applied("before"), listener=listener)
    message = Message("assistant", (Text("not on my watch"),))
    assert events == [
        TextChunk("not on my watch"),
        TurnDone(message, Usage(), "end", "m", replaced=True),
    ]
    assert (turn.asked, listener.decisions) == ([], [("sample", "deny", "policy_denied", "enforce")])


async def test_a_refusal_after_text_was_told_voids_it() -> None:
    """The client is told to discard the text; what the turn took is paid for, so that budgets are not blind."""
    first, again, done = saying("Hello ", "there.").events, Restarted(3, REASON, 0.0, "m"), saying("x").events[-1]
    events = await heard(Turn([TextChunk("Hel"), again, *first]), applied("after"))
    assert events[4] == Restarted(4, ErrorInfo("policy_denied", "not on my watch"), 0.0, "m")
    assert text_of(events) == "not on my watch"
    last = events[-1]
    assert isinstance(last, TurnDone)
    assert isinstance(done, TurnDone)
    assert (last.usage, last.cost, last.stop, last.replaced) == (done.usage, 0.5, "end", True)
    assert last.message.text == "not on my watch"


REASON = ErrorInfo("provider_cut_off", "the turn was cut off")


async def test_a_refusal_when_nothing_stands_restarts_nothing() -> None:
    """What a provider's own restart has voided need not be voided again."""
    turn = Turn([TextChunk("Hel"), Restarted(1, REASON, 0.0, "m"), saying("x").events[-1]])
    events = await heard(turn, applied("after"))
    assert [type(each) for each in events] == [TextChunk, Restarted, TextChunk, TurnDone]


async def test_a_refusal_in_the_middle_closes_the_provider() -> None:
    """Nothing is read on from what nobody will hear."""
    turn = Turn([TextChunk("Hello")], endless=True)
    events = await heard(turn, applied("middle"))
    assert turn.closed
    assert text_of(events) == "not on my watch"


async def test_refused_turns_are_all_paid_for() -> None:
    """An interceptor that has the turn made twice, and then refuses it, has it paid twice."""

    class Picky(Sample):
        """Has it made twice."""

        async def around_model(
            self, ctx: RunContext, request: ModelRequest, call_next: ModelNext, /
        ) -> AsyncGenerator[ModelEvent]:
            for _ in range(2):
                async for event in call_next(request):
                    if isinstance(event, TextChunk):
                        yield event
            raise REFUSED

    last = (await heard(saying("Hello."), applied(Picky())))[-1]
    assert isinstance(last, TurnDone)
    assert (last.usage, last.cost) == (Usage(input=20, output=10), 1.0)


@pytest.mark.parametrize("does", ["result", "request", "twice"])
async def test_changed_turns_are_counted(does: str) -> None:
    """Whoever changes the answer, or what is asked, is known to have."""
    listener = Listener()
    events = await heard(saying("Hello."), applied(does), listener=listener)
    assert listener.decisions == [("sample", "change", "changed", "enforce")]
    assert sum(isinstance(each, TurnDone) for each in events) == 1


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("does", ["pass", "before", "middle", "after", "result", "request", "twice"])
async def test_a_watched_turn_is_as_it_is(does: str, mode: Mode) -> None:
    """Events are told when they come, and what the interceptor would have done is said when the turn is whole."""
    turn, listener = saying("Hello ", "there."), Listener()
    events = await heard(
        Turn([TextChunk("Hel"), Restarted(1, REASON, 0.0, "m"), *turn.events]), applied(does, mode), listener=listener
    )
    assert events[2:] == list(turn.events)
    action, code = ("change", "would_change") if does in ("result", "request", "twice") else ("deny", "policy_denied")
    assert listener.decisions == ([] if does == "pass" else [("sample", action, code, mode)])


@pytest.mark.parametrize("mode", MODES)
async def test_a_watched_interceptor_that_fails_ends_no_turn(mode: Mode) -> None:
    """A policy service that is away is only told of while it is watched."""
    listener = Listener()
    sample = Sample("after", GatewayError("nobody answers", code="connection_error"))
    events = await heard(saying("Hello."), applied(sample, mode), listener=listener)
    assert text_of(events) == "Hello."
    assert listener.decisions == [("sample", "deny", "connection_error", mode)]


@pytest.mark.parametrize("mode", ["enforce", *MODES])
@pytest.mark.parametrize("end", ["close", "cancel"])
async def test_a_turn_that_nobody_wants_is_closed_at_once(mode: Mode, end: str) -> None:
    """The provider's call is cancelled, though the interceptor does not close what it reads from."""
    turn = Turn([TextChunk("Hello")], endless=True)
    events: Any = behind(turn, applied("pass", mode))(Listener().turn(), asking("Hello?"))
    if end == "close":
        assert await anext(events) == TextChunk("Hello")
        await events.aclose()
    else:
        task = asyncio.ensure_future(_drained(events))
        await turn.begun.wait()
        task.cancel()
        await asyncio.wait([task])
    assert turn.closed


async def _drained(events: AsyncGenerator[ModelEvent]) -> None:
    async with aclosing(events) as source:
        async for _ in source:
            pass


async def test_turns_have_no_tool_and_no_arguments() -> None:
    """A condition about a tool is not true of a turn; one about arguments has no answer, which counts as true."""
    turn = saying("Hello.")
    assert text_of(await heard(turn, applied("before", when='tool.name == "lookup"'))) == "Hello."
    assert text_of(await heard(turn, applied("before", when="args.thing == 5"))) == "not on my watch"
    assert text_of(await heard(turn, applied("before", when='agent.name == "assistant"'))) == "not on my watch"
