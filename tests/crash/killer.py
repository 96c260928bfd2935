"""A ledger that ends its own process, around a commit of its choice."""

from __future__ import annotations

import os
import signal
from typing import Any, cast

from headgate.stores.port import Ledger

WRITES = frozenset(
    {
        "create_session", "create_run", "commit_step", "begin_call", "append_events", "finish_run", "claim",
        "claim_run", "release_all", "park", "open_wait", "answer",
    }
)  # fmt: skip


class Killer:
    """Passes every call on; the process dies at the `countdown`th that writes, before it is made or after it was."""

    def __init__(self, ledger: Ledger, countdown: int, *, before: bool) -> None:
        self._ledger = ledger
        self._left = countdown
        self._before = before

    def as_ledger(self) -> Ledger:
        """This object, as the port that it stands for."""
        return cast("Ledger", self)

    def __getattr__(self, method: str) -> Any:
        call = getattr(self._ledger, method)
        if method not in WRITES:
            return call

        async def counted(*args: Any) -> Any:
            self._left -= 1
            mine = self._left == 0
            if mine and self._before:
                die()
            found = await call(*args)
            if mine:
                die()
            return found

        return counted


def die() -> None:
    """What `kill -9` does."""
    os.kill(os.getpid(), signal.SIGKILL)
