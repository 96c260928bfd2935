"""What keys, teams and sessions have used across their runs, counted in memory against `[budgets]`.

The counts begin with what the usage ledger knows, so a restart forgets nothing, and grow with every turn, so a turn
costs no query. What other processes on the ledger have used is read every few seconds.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from headgate.compile.accounting import Budget, Budgets
from headgate.core.context import Principal
from headgate.core.errors import Overloaded
from headgate.engine.windows import NOTHING, Count, Used, Window
from headgate.stores.port import Ledger
from headgate.stores.usage import MINUTE, Scope, Spent

_PRUNE = 3600.0
_LATE = 120.0
"""Seconds that a turn of another process may take to be in the ledger, the store's own troubles included."""

Named = dict[Scope, str]
"""Whose turns are counted: the name of each scope; a run without a session has none."""


class _Book:
    """The counts of one scope against its budget."""

    def __init__(self, scope: Scope, budget: Budget) -> None:
        self.scope = scope
        self.window = Window(budget)
        self._counts: dict[str, Count] = {}
        self._others: dict[tuple[str, int], Used] = {}

    async def read(self, ledger: Ledger, now: float, owner: str) -> None:
        """Begins with what the ledger knows."""
        # First what is followed from now on: what others use meanwhile is rather counted twice than not at all.
        self._others = {place: Used.of(each) for place, each in await self._recent(ledger, now, owner)}
        start = self.window.start(now)
        spent = await ledger.spent(self.scope, start, now + MINUTE, self.window.minutes)
        for each in sorted(spent, key=lambda each: each.slot):
            self._count(each.name).add(each.slot, Used.of(each))

    async def _recent(self, ledger: Ledger, now: float, owner: str) -> list[tuple[tuple[str, int], Spent]]:
        """What other processes have used of late, by name and minute."""
        spent = await ledger.spent(self.scope, now - _LATE, now + MINUTE, 1, owner)
        return [((each.name, each.slot), each) for each in spent]

    async def follow(self, ledger: Ledger, now: float, owner: str) -> None:
        """Adds what other processes have used of late, as far as that is new."""
        for place, each in await self._recent(ledger, now, owner):
            more = Used.of(each).beyond(self._others.get(place, NOTHING))
            if more != NOTHING:
                self.add(each.name, each.slot * MINUTE, more)
                self._others[place] = Used.of(each)
        first = int((now - 2 * _LATE) // MINUTE)
        self._others = {place: known for place, known in self._others.items() if place[1] >= first}

    def add(self, name: str, now: float, used: Used) -> None:
        self._count(name).add(self.window.slot(now), used)

    def over(self, name: str, now: float) -> dict[str, Any] | None:
        """Which limit is reached, in the words of a run's end."""
        count, budget = self._counts.get(name), self.window.budget
        if count is None:
            return None
        count.drop(self.window.slot(self.window.start(now)))
        told, used = {"per": self.scope, "window": self.window.text}, count.total
        if budget.usd is not None and used.cost >= budget.usd:
            return {"limit": "budget_usd", "cost": used.cost, "budget": budget.usd, **told}
        if budget.tokens is not None and used.tokens >= budget.tokens:
            return {"limit": "budget_tokens", "tokens": used.tokens, "budget": budget.tokens, **told}
        if budget.turns is not None and used.turns >= budget.turns:
            return {"limit": "budget_turns", "turns": used.turns, "budget": budget.turns, **told}
        if budget.time is not None and used.seconds >= budget.time:
            return {"limit": "budget_time", "seconds": round(used.seconds, 3), "budget": budget.time, **told}
        return None

    def room(self, name: str, now: float) -> float:
        """Seconds until the window has a little room again."""
        return self.window.room(now, self._counts[name].slots[0][0])

    def prune(self, now: float) -> None:
        """Forgets those that have used nothing in the window."""
        first = self.window.slot(self.window.start(now))
        self._counts = {name: count for name, count in self._counts.items() if count.slots[-1][0] >= first}

    def _count(self, name: str) -> Count:
        return self._counts.setdefault(name, Count())


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

    def add(self, names: Named, used: Used) -> None:
        """A turn was made."""
        now = self._clock()
        for book in {*self._books, *self._opening}:
            if book.scope in names:
                book.add(names[book.scope], now, used)

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
        said = f"the budget of {book.scope} {names[book.scope]!r} is used up: {_said(limit)} in {book.window.text}"
        after = max(1, int(book.room(names[book.scope], self._clock())) + 1)
        raise Overloaded(said, code="budget_exhausted", details={"retry_after": after})

    @property
    def limits_usd(self) -> bool:
        """Whether a budget is in USD, so that every turn needs a price."""
        return any(book.window.budget.usd is not None for book in self._books)

    @property
    def limits(self) -> bool:
        """Whether there is a budget for which every turn has to say what it used."""
        return any(book.window.budget.usd or book.window.budget.tokens for book in self._books)

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

    def add(self, used: Used) -> None:
        """The run made a turn, or went on for some time."""
        if self.accounts is not None:
            self.accounts.add(self.names, used)

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


def _said(limit: dict[str, Any]) -> str:
    match limit["limit"]:
        case "budget_usd":
            return f"${limit['cost']:.4f} of ${limit['budget']:.4f}"
        case "budget_time":
            return f"{limit['seconds']:g} of {limit['budget']:g} seconds"
        case kind:
            unit = kind.removeprefix("budget_")
            return f"{limit[unit]} of {limit['budget']} {unit}"
