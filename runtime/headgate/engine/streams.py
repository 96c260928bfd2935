"""Who streams: connections that follow a run, counted by key."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from headgate.core.errors import Overloaded
from headgate.engine.eventlog import Follower


class Streams:
    """The open streams of every key."""

    def __init__(self) -> None:
        self._open: Counter[str] = Counter()

    def take(self, key: str, limit: int) -> Slot:
        """A place for one more stream of the key; raises `Overloaded` when it has `limit` open."""
        if self._open[key] >= limit:
            raise Overloaded(
                f"key {key!r} holds {limit} streams open already", code="too_many_streams", details={"retry_after": 1}
            )
        self._open[key] += 1
        return Slot(self, key)

    def give(self, key: str) -> None:
        """One stream of the key has ended."""
        self._open[key] -= 1
        if not self._open[key]:
            del self._open[key]

    def count(self, key: str) -> int:
        """How many streams the key holds open."""
        return self._open[key]


class Slot:
    """A place among the streams of a key, given back once."""

    def __init__(self, streams: Streams, key: str) -> None:
        self._streams = streams
        self._key = key
        self._held = True

    def free(self) -> None:
        """Gives the place back; a second time does nothing."""
        if self._held:
            self._held = False
            self._streams.give(self._key)


class Subscription:
    """One connection that follows one run; closed once, without waiting."""

    def __init__(self, run_id: str, follower: Follower, slot: Slot, deserted: Callable[[], None]) -> None:
        """`deserted` is called when the connection has stopped following."""
        self.run_id = run_id
        self.follower = follower
        self._slot = slot
        self._deserted = deserted
        self._open = True

    def close(self) -> None:
        """Stops following; the run goes on as its agent's `on_disconnect` says."""
        if self._open:
            self._open = False
            self.follower.close()
            self._slot.free()
            self._deserted()
