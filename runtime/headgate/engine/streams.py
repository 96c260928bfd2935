"""Who streams: connections that follow a run, counted by key."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from headgate.core.context import Principal
from headgate.core.errors import Overloaded
from headgate.engine.eventlog import Follower


class Streams:
    """The open streams of every key."""

    def __init__(self) -> None:
        self._open: Counter[str] = Counter()
        self._followed: set[Subscription] = set()

    def followed(self) -> list[Subscription]:
        """The connections that follow a run now."""
        return list(self._followed)

    def join(self, subscription: Subscription) -> None:
        """One more follows."""
        self._followed.add(subscription)

    def part(self, subscription: Subscription) -> None:
        """One fewer."""
        self._followed.discard(subscription)

    def take(self, principal: Principal, limit: int) -> Slot:
        """A place for one more stream of the principal; raises `Overloaded` when it has `limit` open."""
        key = principal.key
        if self._open[key] >= limit:
            raise Overloaded(
                f"key {key!r} holds {limit} streams open already", code="too_many_streams", details={"retry_after": 1}
            )
        self._open[key] += 1
        return Slot(self, principal)

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

    def __init__(self, streams: Streams, principal: Principal) -> None:
        self.streams = streams
        self.principal = principal
        self._held = True

    def free(self) -> None:
        """Gives the place back; a second time does nothing."""
        if self._held:
            self._held = False
            self.streams.give(self.principal.key)


class Subscription:
    """One connection that follows one run; closed once, without waiting."""

    def __init__(self, run_id: str, follower: Follower, slot: Slot, deserted: Callable[[], None]) -> None:
        """`deserted` is called when the connection has stopped following."""
        self.run_id = run_id
        self.follower = follower
        self._slot = slot
        self._deserted = deserted
        self._open = True
        self.principal = slot.principal
        self.revoked = False
        slot.streams.join(self)

    def cut(self) -> None:
        """The connection may not follow any more: it is told so, and ends."""
        self.revoked = True
        self.follower.wake()

    def close(self) -> None:
        """Stops following; the run goes on as its agent's `on_disconnect` says."""
        if self._open:
            self._open = False
            self.follower.close()
            self._slot.streams.part(self)
            self._slot.free()
            self._deserted()
