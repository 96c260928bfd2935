"""What the audit log keeps: who did what to which object, and how it ended, as a chain of records.

Each record has the hash of the one before it in its own, so that none can be changed, taken out or put elsewhere
without those behind it telling. `hash_of` says what is hashed; anybody can do the same with what was exported.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import msgspec

TRIMMED = "audit.trimmed"
"""The kind of the record that tells which ones went: its details have the `last` of them and its `hash`."""


class AuditEntry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing that happened, at `at` in epoch seconds.

    `key` and `team` are who did it, empty when nobody is known; `agent`, `session`, `run`, `call`, `tool` and `policy`
    what it was about. `details` never holds more of the arguments of a call than `[audit] arguments` says.
    """

    at: float
    kind: str
    key: str = ""
    team: str = ""
    agent: str | None = None
    session: str | None = None
    run: str | None = None
    call: str | None = None
    tool: str | None = None
    policy: str | None = None
    outcome: str = "ok"
    details: dict[str, Any] = {}


class Link(msgspec.Struct, frozen=True):
    """A place in the chain: the number of a record and its hash. Number 0 is what the first record stands behind."""

    n: int = 0
    hash: str = ""


class AuditRecord(msgspec.Struct, frozen=True, kw_only=True):
    """An entry in its place: `n` counts from 1, `prev` is the hash of the record before.

    `text` is the entry as it was hashed. `whole` is false when what the ledger finds the record by says something else.
    """

    n: int
    entry: AuditEntry
    text: str
    prev: str
    hash: str
    whole: bool = True

    @property
    def link(self) -> Link:
        """Its place in the chain."""
        return Link(self.n, self.hash)


class Ends(msgspec.Struct, frozen=True):
    """Where the chain begins and ends: `anchor` is the last record that was trimmed, `head` the newest."""

    anchor: Link
    head: Link


class AuditFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which records are listed; None does not matter. `since` and `until` are epoch seconds, `before` a number."""

    kind: str | None = None
    key: str | None = None
    run: str | None = None
    since: float | None = None
    until: float | None = None
    before: int | None = None
    limit: int = 50


class AuditPage(msgspec.Struct, frozen=True):
    """Records that fit, newest first. There may be fewer than the limit, or none, and still more behind them: then
    `following` is what they are before."""

    records: tuple[AuditRecord, ...]
    following: int | None


def hash_of(prev: str, text: str) -> str:
    """The hash of a record: SHA-256, in hexadecimal, of the hash before it and the entry's JSON text, in UTF-8."""
    return sha256(f"{prev}{text}".encode()).hexdigest()
