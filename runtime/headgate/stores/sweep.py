"""What the ledger deletes because of its age."""

from __future__ import annotations

import msgspec


class Cutoffs(msgspec.Struct, frozen=True, kw_only=True):
    """What is older than these times, in epoch seconds, is swept; None keeps it for ever.

    `events`: the log of ended runs. `runs`: ended runs of no session, and the steps of those that have one. `sessions`:
    sessions that were last used then, with their runs. `audit`: audit records, but the newest. `usage`: that of turns.
    """

    events: float | None = None
    runs: float | None = None
    sessions: float | None = None
    audit: float | None = None
    usage: float | None = None


class Swept(msgspec.Struct, frozen=True, kw_only=True):
    """How many rows a sweep removed; `more` when the limit ended it."""

    events: int = 0
    runs: int = 0
    steps: int = 0
    sessions: int = 0
    audit: int = 0
    usage: int = 0
    more: bool = False
