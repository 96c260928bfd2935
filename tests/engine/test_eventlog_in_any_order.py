"""Whatever comes in whatever order: every follower sees every event once."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from headgate.core.events import Event
from headgate.engine.eventlog import EventLog, Follower
from tests.engine.reading import Kept, event, read_all

ACTIONS = st.lists(
    st.sampled_from(
        ["append", "append", "append", "hold", "let go", "void", "keep", "trim", "follow", "follow later", "read"]
    ),
    max_size=60,
)


class World:
    """A log, its ledger and its followers, driven by a list of actions; `told` is what every follower must see."""

    def __init__(self) -> None:
        self.kept = Kept()
        self.log = EventLog(self.kept.read)
        self.n = self.saved = 0
        self.held: dict[int, Event] = {}
        self.void: set[int] = set()
        self.followers: list[tuple[int, Follower, list[int]]] = []

    def fresh(self) -> Event:
        self.n += 1
        return event(self.n)

    async def do(self, action: str, number: int) -> None:
        match action:
            case "append":
                self.log.append(self.fresh())
            case "hold":
                new = self.fresh()
                self.held[self.log.hold(new)] = new
            case "let go" | "void" if self.held:
                place = sorted(self.held)[number % len(self.held)]
                gone = self.held.pop(place)
                void = action == "void" and gone.key not in self.kept.events
                self.void |= {gone.n} if void else set()
                self.log.let_go(place, void=void)
            case "keep":  # the ledger keeps in order, and may have kept what is still held here
                first = min((each.n for each in self.held.values()), default=self.n + 1)
                self._keep(min(self.n, first if number % 2 else first - 1))
            case "trim":
                first = min((each.n for each in self.held.values()), default=self.n + 1)
                self.log.trim((1, min(self.saved, first - 1)), keep=number)
            case "follow" | "follow later":
                after = 0 if action == "follow" else min(number, self.n)
                self.followers.append((after, self.log.follow((1, after)), []))
            case "read" if self.followers:
                await self._read(*self.followers[number % len(self.followers)])

    def _keep(self, last: int) -> None:
        for n in range(self.saved + 1, last + 1):
            if n not in self.void:
                self.kept.events[1, n] = event(n)
        self.saved = max(self.saved, last)

    async def _read(self, _after: int, follower: Follower, seen: list[int]) -> None:
        follower.wake()
        seen += [each.n for each in await follower.batch()]

    async def judge(self) -> None:
        for place in sorted(self.held):
            self.log.let_go(place)
        self.held.clear()
        for after, follower, seen in self.followers:
            seen += await read_all(follower)
            assert seen == [n for n in range(after + 1, self.n + 1) if n not in self.void]


def run(work: Coroutine[Any, Any, None]) -> None:
    """Runs it on a loop of its own, since hypothesis calls functions."""
    with asyncio.Runner() as runner:
        runner.run(work)


@given(ACTIONS, st.lists(st.integers(0, 20), min_size=60, max_size=60))
def test_every_interleaving(actions: list[str], numbers: list[int]) -> None:
    """Each follower sees every event behind its start that is not void exactly once and in order."""

    async def live() -> None:
        world = World()
        for action, number in zip(actions, numbers, strict=False):
            await world.do(action, number)
        await world.judge()

    run(live())
