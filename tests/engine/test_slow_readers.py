"""Readers that do not read: what they cost, and what they get when they do."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from dataclasses import replace
from typing import Literal

from headgate.boot import Place, open_gateway
from headgate.core.events import RunCompleted, TextDelta
from headgate.core.kind import Env, Kind
from headgate.core.messages import Message, Text, Usage
from headgate.core.ports import ModelEvent, ModelRequest, Provider, TextChunk, TurnDone
from headgate.engine.eventlog import BATCH, WINDOW
from headgate.engine.run import Order
from headgate.kinds import DEFAULT_KINDS
from headgate.providers.settings import ProviderSpec
from tests.conftest import Tree
from tests.waiting import until

WORDS = 100_000
AT_ONCE = 100
"""Deltas that come in the same turn of the event loop."""


class FloodSpec(ProviderSpec):
    """A model that says a great deal."""

    kind: Literal["flood"]


class Flood:
    """An opened provider of this kind, which says the next words when `listened` lets it."""

    default_model = "flood"
    demo = False

    def __init__(self, listened: Callable[[], Awaitable[None]]) -> None:
        self._listened = listened

    async def stream(self, request: ModelRequest, /) -> AsyncGenerator[ModelEvent]:
        words = [f"{n} " for n in range(WORDS)]
        for n, word in enumerate(words):
            if not n % AT_ONCE:
                await self._listened()
            yield TextChunk(word)
        said = Message("assistant", (Text("".join(words)),))
        yield TurnDone(message=said, usage=Usage(output=WORDS), stop="end", model="flood", cost=0.0)


def flood(listened: Callable[[], Awaitable[None]]) -> Kind[FloodSpec, Provider]:
    """The kind."""

    @contextlib.asynccontextmanager
    async def opened(spec: FloodSpec, env: Env) -> AsyncIterator[Flood]:
        yield Flood(listened)

    return Kind("flood", "Says a great deal.", FloodSpec, opened)


async def test_a_follower_that_does_not_read(tree: Tree) -> None:
    """While 100,000 deltas pass the log holds a window of them; then the follower gets every one, from the ledger."""

    async def listened() -> None:
        """The model is faster than any disk, but what was not kept yet is never more than a window."""
        await asyncio.sleep(0)
        (log,) = (each.log for each in host.runs.values())
        await until(lambda: log.visible - log.start <= WINDOW)

    kinds = replace(DEFAULT_KINDS, providers={**DEFAULT_KINDS.providers, "flood": flood(listened)})
    root = tree(provider='kind = "flood"')
    async with open_gateway(Place(tree=root, environ={}, kinds=kinds), watch=False) as gateway:
        host, (principal,) = gateway.edge.host, gateway.snapshot.principals.values()
        run = await host.submit(Order(principal, "helper", (Message("user", (Text("hi"),)),)))
        subscription = await host.follow(run.id, (0, 0), principal)
        assert run.task is not None
        await run.task
        assert isinstance(run.log.events[-1], RunCompleted)
        seen, most = [], 0
        while not subscription.follower.drained:
            batch = await subscription.follower.batch()
            most = max(most, len(batch))
            seen += batch
        subscription.close()
    assert most <= BATCH
    assert [event.n for event in seen] == list(range(1, WORDS + 4))
    said = [event.text for event in seen if isinstance(event, TextDelta)]
    assert said == [f"{n} " for n in range(WORDS)]
