"""What model turns used, as the ledger adds it up for reports and for budgets."""

from __future__ import annotations

from typing import Literal

import msgspec

from headgate.core.messages import Usage

Group = Literal["agent", "key", "team", "provider", "model", "session", "run", "day"]
Scope = Literal["key", "team", "session"]
MINUTE = 60


class TurnUsage(msgspec.Struct, frozen=True, kw_only=True):
    """What one model turn used: the `n`th of the run under its fence, within which step, who made it, and its cost in
    US dollars, None when the model has no known price. One that was `broken` off counts, too, as far as the provider
    said what it used. `owner` is the process that had it made, `seconds` how long the run had gone on since the turn
    before, tools included. Whose it was is known from its run."""

    n: int
    step: int
    at: float
    provider: str
    model: str
    usage: Usage
    cost: float | None
    broken: bool = False
    owner: str = ""
    seconds: float = 0.0


class UsageFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which turns are added up: those from `since` until before `until`, in epoch seconds, to the minute; of one key,
    agent and so on, or of all. `group` says what each sum is of; None: all of them are one."""

    since: float
    until: float
    key: str | None = None
    team: str | None = None
    agent: str | None = None
    provider: str | None = None
    model: str | None = None
    session: str | None = None
    run: str | None = None
    group: Group | None = None


class UsageSum(msgspec.Struct, frozen=True, kw_only=True):
    """What the turns of one group used: `cost` is in US dollars, and does not count `unpriced` turns, whose model has
    no known price; `broken` of the turns were broken off. `name` is empty where there is no group, and for the runs
    that are of no session; a day is `2026-11-30`, in UTC."""

    name: str
    turns: int
    usage: Usage
    cost: float
    unpriced: int
    broken: int = 0


class Spent(msgspec.Struct, frozen=True):
    """What one key, team or session used in one slot of time; `slot` counts since the epoch, `turns` those that were
    not broken off, and `seconds` how long runs went on."""

    name: str
    slot: int
    cost: float
    tokens: int
    turns: int = 0
    seconds: float = 0.0
