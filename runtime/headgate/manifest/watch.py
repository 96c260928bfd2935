"""Says when the tree may have changed; only its digest says whether it has."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import aclosing, suppress
from pathlib import Path
from typing import Any

from watchfiles import awatch

from headgate.manifest.tree import Tree

GATHER = 100
"""Milliseconds within which events count as one."""

TICK = 0.25
"""Seconds between looks at the clock, at most."""

_Identity = tuple[int, int]


async def changes(
    root: Path, directories: Callable[[], Iterable[Path]], poll: float, stop: asyncio.Event
) -> AsyncGenerator[None, None]:
    """Pokes whenever files of the tree may have changed, and every `poll` seconds, until `stop` is set.

    Watched are the root and the given directories, each without what is below it, and the parents of the root and of
    every link on the way to it: swapping a link (git-sync, ConfigMaps) makes an event only there. After every poke the
    directories are asked for anew. One that vanishes, comes back or cannot be watched costs no more than a poll.
    """
    while not stop.is_set():
        watch = _Watch(root, directories())
        async with aclosing(watch.pokes(poll, stop)) as pokes:
            async for _ in pokes:
                yield
                fresh = _Watch(root, directories())
                if (fresh.armed, fresh.whole) != (watch.armed, watch.whole):
                    break


async def settle(read: Callable[[], Tree], pause: float) -> Tree:
    """Reads, in a thread, every `pause` seconds, until two trees in a row have the same revision."""
    tree = await asyncio.to_thread(read)
    while True:
        await asyncio.sleep(pause)
        again = await asyncio.to_thread(read)
        if again.revision == tree.revision:
            return again
        tree = again


class _Watch:
    """One set of directories, told apart by what they are on disk: a name may come to mean another directory."""

    def __init__(self, root: Path, directories: Iterable[Path]) -> None:
        root = root.absolute()
        self.links = {root, *(each for each in root.parents if each.is_symlink())}
        self.whole = {root, *(each.absolute() for each in directories)}
        found = {path: _identity(path) for path in {*self.whole, *(link.parent for link in self.links)}}
        self.armed = {path: identity for path, identity in found.items() if identity is not None}

    async def pokes(self, poll: float, stop: asyncio.Event) -> AsyncGenerator[None, None]:
        """A poke soon after the watch began, then at every event and poll; ends when nothing can be watched."""
        due = 0.0  # what changed before the watch began made no event
        try:
            async with aclosing(self._events(poll, stop)) as events:
                async for paths in events:
                    now = time.monotonic()
                    if now >= due or any(map(self._concerns, paths)):
                        due = now + poll
                        yield
        except (OSError, RuntimeError):  # a directory that vanished meanwhile, or no more watches to be had
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), min(poll, 4 * TICK))
            yield

    async def _events(self, poll: float, stop: asyncio.Event) -> AsyncGenerator[list[Path], None]:
        # No filter and no longer timeout: a busy parent directory would then keep the poll from ever coming.
        watching = awatch(
            *self.armed,
            watch_filter=None,
            debounce=GATHER,
            stop_event=_stopper(stop),
            rust_timeout=max(1, int(1000 * min(poll, TICK))),
            yield_on_timeout=True,
            recursive=False,
        )
        async with aclosing(watching) as batches:
            async for batch in batches:
                yield [Path(path) for _, path in batch]

    def _concerns(self, path: Path) -> bool:
        """Whether an event is about the tree rather than about its neighbours."""
        return path in self.links or path in self.whole or path.parent in self.whole


class _Stopper:
    """The event that a watching thread looks at; a cancelled watch sets it, which must not stop the caller."""

    def __init__(self, stop: asyncio.Event) -> None:
        self.stop = stop
        self.ended = False

    def is_set(self) -> bool:
        return self.ended or self.stop.is_set()

    def set(self) -> None:
        self.ended = True


def _stopper(stop: asyncio.Event) -> Any:  # the annotation names event classes, the code asks for these two methods
    return _Stopper(stop)


def _identity(path: Path) -> _Identity | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino
