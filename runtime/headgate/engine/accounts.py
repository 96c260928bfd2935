"""What keys, teams and sessions have used across their runs, counted in memory against `[budgets]`.

The counts begin with what the usage ledger knows, so a restart forgets nothing, and grow with every turn, so a turn
costs no query. What other processes on the ledger have used is read every few seconds.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from headgate.compile.accounting import Budget, Budgets
from headgate.core.context import Principal
from headgate.core.errors import Overloaded
from headgate.core.scalars import duration_text
from headgate.stores.port import Ledger
from headgate.stores.usage import MINUTE, Scope, Spent

_DAY = 24 * 60
_SLOTS = 240
"""Into how many slots a window is cut that goes along with the clock: so exact are its ends, on the strict side."""
_PRUNE = 3600.0
_LATE = 120.0
"""Seconds that a turn of another process may take to be in the ledger, the store's own troubles included."""

Named = dict[Scope, str]
"""Whose turns are counted: the name of each scope; a run without a session has none."""


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
class _Count:
    """What one name has used: by slot, oldest first, and in all."""

    slots: deque[tuple[int, float, int]] = field(default_factory=deque)
    cost: float = 0.0
    tokens: int = 0

    def add(self, slot: int, cost: float, tokens: int) -> None:
        if self.slots and self.slots[-1][0] >= slot:  # also when the clock went back
            slot, before, more = self.slots.pop()
            self.slots.append((slot, before + cost, more + tokens))
        else:
            self.slots.append((slot, cost, tokens))
        self.cost, self.tokens = self.cost + cost, self.tokens + tokens

    def drop(self, first: int) -> None:
        """Forgets what was before the slot; what is left is added up anew, so that no rounding is left over."""
        if not self.slots or self.slots[0][0] >= first:
            return
        while self.slots and self.slots[0][0] < first:
            self.slots.popleft()
        self.cost, self.tokens = sum(each[1] for each in self.slots), sum(each[2] for each in self.slots)


class _Book:
    """The counts of one scope against its budget."""

    def __init__(self, scope: Scope, budget: Budget) -> None:
        self.scope = scope
        self.window = Window(budget)
        self._counts: dict[str, _Count] = {}
        self._others: dict[tuple[str, int], tuple[float, int]] = {}

    async def read(self, ledger: Ledger, now: float, owner: str) -> None:
        """Begins with what the ledger knows."""
        # First what is followed from now on: what others use meanwhile is rather counted twice than not at all.
        self._others = {place: (each.cost, each.tokens) for place, each in await self._recent(ledger, now, owner)}
        start = self.window.start(now)
        spent = await ledger.spent(self.scope, start, now + MINUTE, self.window.minutes)
        for each in sorted(spent, key=lambda each: each.slot):
            self._count(each.name).add(each.slot, each.cost, each.tokens)

    async def _recent(self, ledger: Ledger, now: float, owner: str) -> list[tuple[tuple[str, int], Spent]]:
        """What other processes have used of late, by name and minute."""
        spent = await ledger.spent(self.scope, now - _LATE, now + MINUTE, 1, owner)
        return [((each.name, each.slot), each) for each in spent]

    async def follow(self, ledger: Ledger, now: float, owner: str) -> None:
        """Adds what other processes have used of late, as far as that is new."""
        for place, each in await self._recent(ledger, now, owner):
            cost, tokens = self._others.get(place, (0.0, 0))
            if each.tokens > tokens or each.cost > cost:
                self.add(each.name, each.slot * MINUTE, each.cost - cost, each.tokens - tokens)
                self._others[place] = (each.cost, each.tokens)
        first = int((now - 2 * _LATE) // MINUTE)
        self._others = {place: known for place, known in self._others.items() if place[1] >= first}

    def add(self, name: str, now: float, cost: float, tokens: int) -> None:
        self._count(name).add(self.window.slot(now), cost, tokens)

    def over(self, name: str, now: float) -> dict[str, Any] | None:
        """Which limit is reached, in the words of a run's end."""
        count, budget = self._counts.get(name), self.window.budget
        if count is None:
            return None
        count.drop(self.window.slot(self.window.start(now)))
        told = {"per": self.scope, "window": self.window.text}
        if budget.usd is not None and count.cost >= budget.usd:
            return {"limit": "budget_usd", "cost": count.cost, "budget": budget.usd, **told}
        if budget.tokens is not None and count.tokens >= budget.tokens:
            return {"limit": "budget_tokens", "tokens": count.tokens, "budget": budget.tokens, **told}
        return None

    def room(self, name: str, now: float) -> float:
        """Seconds until the window has a little room again."""
        return self.window.room(now, self._counts[name].slots[0][0])

    def prune(self, now: float) -> None:
        """Forgets those that have used nothing in the window."""
        first = self.window.slot(self.window.start(now))
        self._counts = {name: count for name, count in self._counts.items() if count.slots[-1][0] >= first}

    def _count(self, name: str) -> _Count:
        return self._counts.setdefault(name, _Count())


class Accounts:
    """The counts of all budgets."""

    def __init__(self, ledger: Ledger, clock: Callable[[], float] = time.time, owner: str = "") -> None:
        """`owner` is this process, among those on the ledger."""
        self.owner = owner
        self._ledger = ledger
        self._clock = clock
        self._budgets = Budgets()
        self._books: list[_Book] = []
        self._opening: list[_Book] = []
        self._pruned = clock()

    async def keep(self, budgets: Budgets) -> None:
        """Counts against these budgets from now on; raises `StoreError`, and then goes on with those before."""
        now = self._clock()
        if budgets != self._budgets:
            named: list[tuple[Scope, Budget | None]] = [
                ("key", budgets.per_key), ("team", budgets.per_team), ("session", budgets.per_session),
            ]  # fmt: skip
            # Turns that end while the ledger is read are counted in both: rather twice than not at all.
            books = self._opening = [_Book(scope, budget) for scope, budget in named if budget is not None]
            for book in books:
                await book.read(self._ledger, now, self.owner)
            self._budgets, self._books, self._opening = budgets, books, []
            return
        for book in self._books:
            await book.follow(self._ledger, now, self.owner)
        if now >= self._pruned + _PRUNE:
            self._pruned = now
            for book in self._books:
                book.prune(now)

    def of(self, principal: Principal, session: str) -> Account:
        """The counts that runs of the principal add to, in a session if there is one."""
        names: Named = {"key": principal.key, "team": principal.team}
        if session:
            names["session"] = session
        return Account(self, names)

    def add(self, names: Named, cost: float, tokens: int) -> None:
        """A turn was made."""
        now = self._clock()
        for book in {*self._books, *self._opening}:
            if book.scope in names:
                book.add(names[book.scope], now, cost, tokens)

    def over(self, names: Named) -> dict[str, Any] | None:
        """The limit of the first budget that is used up, or None."""
        found = self._first_over(names)
        return found[1] if found else None

    def require(self, names: Named) -> None:
        """Raises `Overloaded` when a budget is used up."""
        found = self._first_over(names)
        if found is None:
            return
        book, limit = found
        used = f"{limit['tokens']} of {limit['budget']} tokens" if "tokens" in limit else _usd(limit)
        said = f"the budget of {book.scope} {names[book.scope]!r} is used up: {used} in {book.window.text}"
        after = max(1, int(book.room(names[book.scope], self._clock())) + 1)
        raise Overloaded(said, code="budget_exhausted", details={"retry_after": after})

    @property
    def limits_usd(self) -> bool:
        """Whether a budget is in USD, so that every turn needs a price."""
        return any(book.window.budget.usd is not None for book in self._books)

    @property
    def limits(self) -> bool:
        """Whether there is any budget, so that every turn has to say what it used."""
        return bool(self._books)

    def _first_over(self, names: Named) -> tuple[_Book, dict[str, Any]] | None:
        now = self._clock()
        for book in self._books:
            limit = book.over(names[book.scope], now) if book.scope in names else None
            if limit is not None:
                return book, limit
        return None


@dataclass(frozen=True, slots=True)
class Account:
    """The counts of those for whom one run is."""

    accounts: Accounts | None = None
    names: Named = field(default_factory=dict)

    @property
    def owner(self) -> str:
        """The process that counts."""
        return self.accounts.owner if self.accounts is not None else ""

    def add(self, cost: float, tokens: int) -> None:
        """The run made a turn."""
        if self.accounts is not None:
            self.accounts.add(self.names, cost, tokens)

    def require(self) -> None:
        """Raises `Overloaded` when a budget is used up."""
        if self.accounts is not None:
            self.accounts.require(self.names)

    def over(self) -> dict[str, Any] | None:
        """Which budget is used up."""
        return self.accounts.over(self.names) if self.accounts is not None else None

    @property
    def limits_usd(self) -> bool:
        """See `Accounts.limits_usd`."""
        return self.accounts is not None and self.accounts.limits_usd

    @property
    def limits(self) -> bool:
        """See `Accounts.limits`."""
        return self.accounts is not None and self.accounts.limits


def _usd(limit: dict[str, Any]) -> str:
    return f"${limit['cost']:.4f} of ${limit['budget']:.4f}"
