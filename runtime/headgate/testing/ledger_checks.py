"""What the contracts of the ledger are written with: an opener, and checks that hold under `python -O` too."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager

from headgate.core.errors import StoreError
from headgate.stores.records import Ledger, RunRecord

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
