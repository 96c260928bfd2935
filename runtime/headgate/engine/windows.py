"""The windows of budgets, and what was used in one: by slots of time, oldest first, and in all."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import msgspec

from headgate.compile.accounting import Budget
from headgate.core.scalars import duration_text
from headgate.stores.usage import MINUTE, Spent

_DAY = 24 * 60
_SLOTS = 240
"""Into how many slots a window is cut that goes along with the clock: so exact are its ends, on the strict side."""


class Used(msgspec.Struct, frozen=True):
    """What was used: US dollars, tokens, model turns, and seconds in which runs went on."""

    cost: float = 0.0
    tokens: int = 0
    turns: int = 0
    seconds: float = 0.0

    @classmethod
    def of(cls, spent: Spent) -> Used:
        """What the ledger says."""
        return cls(spent.cost, spent.tokens, spent.turns, spent.seconds)

    def __add__(self, more: Used) -> Used:
        """Both together."""
        return Used(
            self.cost + more.cost, self.tokens + more.tokens, self.turns + more.turns, self.seconds + more.seconds
        )

    def beyond(self, known: Used) -> Used:
        """What of it is new to who knew that much."""
        return Used(
            max(self.cost - known.cost, 0.0), max(self.tokens - known.tokens, 0),
            max(self.turns - known.turns, 0), max(self.seconds - known.seconds, 0.0),
        )  # fmt: skip


NOTHING = Used()


@dataclass(frozen=True, slots=True)
class Window:
    """Which slots of time count now; a slot is so many `minutes` long."""

    budget: Budget

    @property
    def minutes(self) -> int:
        """Minutes of a slot."""
        if isinstance(self.budget.window, str):
            return _DAY
        return max(1, int(self.budget.window // MINUTE) // _SLOTS)

    @property
    def text(self) -> str:
        """As a manifest writes it."""
        return self.budget.window if isinstance(self.budget.window, str) else duration_text(self.budget.window)

    def slot(self, at: float) -> int:
        """The slot of a time."""
        return int(at // MINUTE) // self.minutes

    def start(self, now: float) -> float:
        """Since when is counted, in epoch seconds."""
        if not isinstance(self.budget.window, str):
            return now - self.budget.window
        today = datetime.fromtimestamp(now, UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        return (today if self.budget.window == "calendar_day" else today.replace(day=1)).timestamp()

    def room(self, now: float, oldest: int) -> float:
        """Seconds until something of what was used counts no more; `oldest` is the first slot with any."""
        if not isinstance(self.budget.window, str):
            return (oldest + 1) * self.minutes * MINUTE + self.budget.window - now
        days = 1 if self.budget.window == "calendar_day" else 32
        later = datetime.fromtimestamp(self.start(now), UTC) + timedelta(days=days)
        return (later if days == 1 else later.replace(day=1)).timestamp() - now


@dataclass(slots=True)
class Count:
    """What one name has used: by slot, oldest first, and in all."""

    slots: deque[tuple[int, Used]] = field(default_factory=deque)
    total: Used = NOTHING

    def add(self, slot: int, used: Used) -> None:
        """Counts what was used in a slot."""
        if self.slots and self.slots[-1][0] >= slot:  # also when the clock went back
            slot, before = self.slots.pop()
            self.slots.append((slot, before + used))
        else:
            self.slots.append((slot, used))
        self.total = self.total + used

    def drop(self, first: int) -> None:
        """Forgets what was before the slot; what is left is added up anew, so that no rounding is left over."""
        if not self.slots or self.slots[0][0] >= first:
            return
        while self.slots and self.slots[0][0] < first:
            self.slots.popleft()
        self.total = sum((used for _, used in self.slots), start=NOTHING)
