"""What was spent, by whom, in which time: the state of budgets, kept in memory."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Literal, Protocol

Calendar = Literal["day", "month"]

_SLICES = 60
"""Into how many parts a rolling window is cut: it forgets a part at a time."""
_REMEMBERED = 100_000


@dataclass(frozen=True, slots=True)
class Spent:
    """An amount: USD, tokens, and tool calls."""

    usd: float = 0.0
    tokens: int = 0
    calls: int = 0

    def __add__(self, other: Spent) -> Spent:
        return Spent(self.usd + other.usd, self.tokens + other.tokens, self.calls + other.calls)


class Meter(Protocol):
    """Adds up what each holder spends within one window. A durable one counts for every process of a gateway."""

    async def spent(self, holder: str, /) -> Spent:
        """What the holder has spent in the window that is now."""
        ...

    async def add(self, holder: str, amount: Spent, /) -> Spent:
        """Adds an amount, which may be negative to give something back; what is spent then. Two that add at the same
        time see different sums."""
        ...


Window = Callable[[float], tuple[int, int]]
"""The number of the slice that a time in epoch seconds is in, and of the first one that counts then."""


def rolling(seconds: float) -> Window:
    """The last so many seconds."""
    length = seconds / _SLICES

    def slices(now: float) -> tuple[int, int]:
        current = int(now // length)
        return current, current - _SLICES + 1

    return slices


def calendar(unit: Calendar, zone: tzinfo) -> Window:
    """The day or the month that is now, in a time zone."""

    def slices(now: float) -> tuple[int, int]:
        at = datetime.fromtimestamp(now, zone)
        number = at.toordinal() if unit == "day" else at.year * 12 + at.month
        return number, number

    return slices


class MemoryMeter:
    """A meter of this process, which forgets everything when that ends; `clock` counts epoch seconds."""

    def __init__(self, window: Window, clock: Callable[[], float]) -> None:
        self._window = window
        self._clock = clock
        self._held: OrderedDict[str, deque[tuple[int, Spent]]] = OrderedDict()

    async def spent(self, holder: str, /) -> Spent:
        """See `Meter.spent`."""
        return self._sum(holder)

    async def add(self, holder: str, amount: Spent, /) -> Spent:
        """See `Meter.add`."""
        slices = self._held.setdefault(holder, deque())
        current, _ = self._window(self._clock())
        if slices and slices[-1][0] >= current:
            at, sum_there = slices.pop()
            slices.append((at, sum_there + amount))
        else:
            slices.append((current, amount))
        self._held.move_to_end(holder)
        if len(self._held) > _REMEMBERED:
            self._held.popitem(last=False)
        return self._sum(holder)

    def _sum(self, holder: str) -> Spent:
        slices = self._held.get(holder)
        if slices is None:
            return Spent()
        _, first = self._window(self._clock())
        while slices and slices[0][0] < first:
            slices.popleft()
        return sum((amount for _, amount in slices), start=Spent())
