"""A ledger that keeps nothing: what the runs of inline tests are committed to."""

from __future__ import annotations

from headgate.stores.records import Exchange, NewRun, RunEndRecord, RunRecord, SessionRecord, StepCommit, StepRecord


class Unkept:
    """Fulfils the port `Ledger`; every write succeeds and is forgotten."""

    async def create_session(self, _session: SessionRecord, /) -> None:
        """Forgets the session."""

    async def session(self, _session_id: str, /) -> SessionRecord | None:
        """None."""
        return None

    async def count_sessions(self, _principal: str, _now: float, /) -> int:
        """None at all."""
        return 0

    async def sweep_sessions(self, _now: float, /) -> int:
        """There is nothing to sweep."""
        return 0

    async def create_run(self, _new: NewRun, /) -> None:
        """Forgets the run."""

    async def conversation(self, _session_id: str, /) -> tuple[Exchange, ...]:
        """No exchange."""
        return ()

    async def commit_step(self, _commit: StepCommit, /) -> None:
        """Forgets the steps."""

    async def finish_run(self, _end: RunEndRecord, /) -> None:
        """Forgets the end."""

    async def run(self, _run_id: str, /) -> RunRecord | None:
        """None."""
        return None

    async def steps(self, _run_id: str, /) -> tuple[StepRecord, ...]:
        """No step."""
        return ()

    async def interrupt_runs(self, _now: float, /) -> int:
        """There is nothing to interrupt."""
        return 0

    async def ping(self) -> None:
        """Always there."""

    async def close(self) -> None:
        """Holds nothing."""
