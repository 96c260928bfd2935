"""What a run has used and said so far: counted for its own limits, for budgets across runs, and for the ledger."""

from __future__ import annotations

import time
from typing import Any

from headgate.core.events import Outcome
from headgate.core.ports import Broken, TurnDone
from headgate.engine.accounts import Account
from headgate.engine.teller import Teller
from headgate.engine.windows import Used
from headgate.stores.records import Progress
from headgate.stores.usage import TurnUsage


class Tally:
    """The counts of one run, its earlier owners included; `account` counts for all runs of its principal."""

    def __init__(self, teller: Teller, so_far: Progress, account: Account) -> None:
        self.account = account
        self.turns, self.usage, self.cost, self.said = so_far.turns, so_far.usage, so_far.cost, so_far.answer
        self._teller = teller
        self._rows = 0
        self._before, self._began = so_far.elapsed, time.monotonic()
        self._counted = so_far.elapsed

    def turn(self, done: TurnDone, step: int, said: str) -> None:
        """The run has made a model turn, and said this in it."""
        self.turns += 1
        self.said += said
        self.spend(done, step)

    def spend(self, done: TurnDone | Broken, step: int) -> None:
        """The run pays for a turn, of its own or of somebody who asked a model for it, or for one that was broken off;
        the usage ledger is told with its next transaction. A turn that no model made costs nothing."""
        if isinstance(done, TurnDone) and done.replaced and not done.usage.total:
            return
        self.usage += done.usage
        self.cost += done.cost or 0.0
        broken, seconds = isinstance(done, Broken), self._passed()
        self.account.add(Used(done.cost or 0.0, done.usage.total, int(not broken), seconds))
        self._rows += 1
        self._teller.owe(TurnUsage(
            n=self._rows, step=step, at=self._teller.clock(), provider=done.provider, model=done.model,
            usage=done.usage, cost=done.cost, broken=broken, owner=self.account.owner, seconds=seconds,
        ))  # fmt: skip

    def stop(self) -> None:
        """The run has ended: the time since its last turn counts too."""
        self.account.add(Used(seconds=self._passed()))

    def _passed(self) -> float:
        """The seconds that have not been counted yet."""
        now = self.elapsed
        passed, self._counted = max(now - self._counted, 0.0), max(now, self._counted)
        return round(passed, 3)

    def skip(self, seconds: float) -> None:
        """These were no time of the run."""
        self._began += seconds

    @property
    def elapsed(self) -> float:
        """Seconds that the run was going on."""
        return self._before + time.monotonic() - self._began

    @property
    def progress(self) -> Progress:
        """As the ledger keeps it."""
        return Progress(
            turns=self.turns, usage=self.usage, cost=self.cost, answer=self.said, elapsed=round(self.elapsed, 3)
        )

    def totals(self, outcome: Outcome) -> dict[str, Any]:
        """What the end of a run says of it."""
        return {"outcome": outcome, "usage": self.usage, "cost": self.cost, "turns": self.turns}
