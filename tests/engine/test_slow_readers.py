"""Readers that do not read: what they cost, and what they get when they do."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator
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

WORDS = 100_000
AT_ONCE = 100
"""Deltas that come in the same turn of the event loop."""
PAUSE = 0.002
"""Seconds between them: faster than any model, but what a flush has not kept yet is less than a window."""


class FloodSpec(ProviderSpec):
    """A model that says a great deal."""

    kind: Literal["flood"]


class Flood:
    """An opened provider of this kind."""

    default_model = "flood"
    demo = False

    async def stream(self, request: ModelRequest, /) -> AsyncGenerator[ModelEvent]:
        words = [f"{n} " for n in range(WORDS)]
        for n, word in enumerate(words):
            if not n % AT_ONCE:
                await asyncio.sleep(PAUSE)
            yield TextChunk(word)
        said = Message("assistant", (Text("".join(words)),))
        yield TurnDone(message=said, usage=Usage(output=WORDS), stop="end", model="flood", cost=0.0)


@contextlib.asynccontextmanager
async def open_flood(spec: FloodSpec, env: Env) -> AsyncIterator[Flood]:
    """Opens it."""
    yield Flood()


KIND: Kind[FloodSpec, Provider] = Kind("flood", "Says a great deal.", FloodSpec, open_flood)


async def test_a_follower_that_does_not_read(tree: Tree) -> None:
    """While 100,000 deltas pass the log holds a window of them; then the follower gets every one, from the ledger."""
    kinds = replace(DEFAULT_KINDS, providers={**DEFAULT_KINDS.providers, "flood": KIND})
    root = tree(provider='kind = "flood"')
    async with open_gateway(Place(tree=root, environ={}, kinds=kinds), watch=False) as gateway:
        host, (principal,) = gateway.edge.host, gateway.snapshot.principals.values()
        run = await host.submit(Order(principal, "helper", (Message("user", (Text("hi"),)),)))
        subscription = await host.follow(run.id, (0, 0), principal)
        largest = 0
        while run.task is not None and not run.task.done():
            largest = max(largest, run.log.visible - run.log.start)
            await asyncio.sleep(0.005)
        assert isinstance(run.log.events[-1], RunCompleted)
        assert largest < 3 * WINDOW
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
