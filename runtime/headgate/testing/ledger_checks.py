"""What the contracts of the ledger are written with: an opener, and checks that hold under `python -O` too."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from contextlib import AbstractAsyncContextManager
from typing import Any

import msgspec

from headgate.core.errors import StoreError
from headgate.core.events import Event, EventId
from headgate.stores.port import Ledger
from headgate.stores.records import Lease, NewRun, RunRecord, SessionRecord
from headgate.stores.told import Told
from headgate.testing.ledger_samples import LEASE, a_run, a_session

Opener = Callable[[], AbstractAsyncContextManager[Ledger]]
"""Opens the store; when it was opened before, what was committed then is there."""

Contract = Callable[[Opener], Awaitable[None]]
"""One promise of `Ledger`: it raises `AssertionError` when the store breaks it."""


def same(got: object, wanted: object) -> None:
    """Raises `AssertionError` unless the two are equal."""
    if got != wanted:
        raise AssertionError(f"got {got!r}, wanted {wanted!r}")


async def refused(work: Awaitable[object], code: str) -> None:
    """Raises `AssertionError` unless the work fails with a `StoreError` of this code."""
    try:
        await work
    except StoreError as error:
        same(error.code, code)
    else:
        raise AssertionError(f"it was accepted; wanted a StoreError with code {code}")


async def found(ledger: Ledger, run_id: str) -> RunRecord:
    """The run, which has to be there."""
    run = await ledger.run(run_id)
    if run is None:
        raise AssertionError(f"{run_id} is not there")
    return run


async def begin(ledger: Ledger, *events: Event, lease: Lease = LEASE, **changes: Any) -> NewRun:
    """A new run that is running with fence 1."""
    new = a_run(**changes)
    await ledger.create_run(new, lease, Told(events))
    return new


async def open_session(ledger: Ledger, **changes: Any) -> SessionRecord:
    """A new session."""
    session = a_session(**changes)
    await ledger.create_session(session)
    return session


async def told(ledger: Ledger, run_id: str, after: EventId = (0, 0), limit: int = 1000) -> list[Event]:
    """All events of the run behind the id, read `limit` at a time."""
    found: list[Event] = []
    while page := await ledger.events(run_id, after, limit):
        found += page
        after = page[-1].key
    return found


def shown(events: Iterable[Event]) -> list[Event]:
    """Copies of the events without their times: a delta may have that of another one that was kept with it."""
    return [msgspec.structs.replace(event, at=0.0) for event in events]
