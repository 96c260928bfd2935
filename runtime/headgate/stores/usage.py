"""What model turns used, as the ledger adds it up for reports and for budgets."""

from __future__ import annotations

from typing import Literal

import msgspec

from headgate.core.messages import Usage

Group = Literal["agent", "key", "team", "model", "day"]
Scope = Literal["key", "team", "session"]
MINUTE = 60


class TurnUsage(msgspec.Struct, frozen=True, kw_only=True):
    """What one model turn used: the `n`th of the run under its fence, within which step, who made it, and its cost in
    US dollars, None when the model has no known price. Whose it was is known from its run."""

    n: int
    step: int
    at: float
    provider: str
    model: str
    usage: Usage
    cost: float | None


class UsageFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which turns are added up: those from `since` until before `until`, in epoch seconds, to the minute; of one key,
    or of all. `group` says what each sum is of; None: all of them are one."""

    since: float
    until: float
    key: str | None = None
    group: Group | None = None


class UsageSum(msgspec.Struct, frozen=True, kw_only=True):
    """What the turns of one group used: `cost` is in US dollars, and does not count `unpriced` turns, whose model has
    no known price. `name` is empty where there is no group; a day is `2026-11-30`, in UTC."""

    name: str
    turns: int
    usage: Usage
    cost: float
    unpriced: int


class Spent(msgspec.Struct, frozen=True):
    """What one key, team or session used in one slot of time; `slot` counts since the epoch."""

    name: str
    slot: int
    cost: float
    tokens: int
