"""The ledger on any SQL database: records in, transactions out."""

from __future__ import annotations

from headgate.core.messages import ErrorInfo, Message
from headgate.stores.records import (
    Exchange,
    NewRun,
    RunEndRecord,
    RunRecord,
    SessionRecord,
    StepCommit,
    StepRecord,
)
from headgate.stores.sql import statements as sql
from headgate.stores.sql.database import Database, Guard, Statement
from headgate.stores.sql.rows import Params, bind, columns, exchanges, run_record, session_record, step_record

_INTERRUPTED = ErrorInfo("interrupted", "The gateway stopped while the run was going on.", retryable=True)
_FENCED = Guard("fenced", "The run is not running any more, or it has another owner now.")
_NO_SESSION = Guard("store_conflict", "The run's session does not exist.")


class SqlLedger:
    """Fulfils `Ledger`: every writing method is one call of `Database.write`, so one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create_session(self, session: SessionRecord, /) -> None:
        """See `Ledger.create_session`."""
        await self._database.write(Statement(sql.INSERT_SESSION, (columns(session),)))

    async def session(self, session_id: str, /) -> SessionRecord | None:
        """See `Ledger.session`."""
        rows = await self._database.read(sql.SELECT_SESSION, id=bind(session_id))
        return session_record(rows[0]) if rows else None

    async def count_sessions(self, principal: str, now: float, /) -> int:
        """See `Ledger.count_sessions`."""
        rows = await self._database.read(sql.COUNT_SESSIONS, principal=bind(principal), now=now)
        return int(rows[0][0])

    async def sweep_sessions(self, now: float, /) -> int:
        """See `Ledger.sweep_sessions`."""
        (swept,) = await self._database.write(Statement(sql.SWEEP_SESSIONS, ({"now": now},)))
        return swept

    async def create_run(self, new: NewRun, /) -> None:
        """See `Ledger.create_run`."""
        run = columns(new)
        del run["messages"]
        work = [Statement(sql.INSERT_RUN, (run,)), *_messages(run["id"], [(m, None) for m in new.messages])]
        if new.session_id is not None:
            work.insert(0, Statement(sql.MOVE_HEAD, ({"id": run["session_id"], "head_run": run["id"]},), _NO_SESSION))
        await self._database.write(*work)

    async def conversation(self, session_id: str, /) -> tuple[Exchange, ...]:
        """See `Ledger.conversation`."""
        return exchanges(await self._database.read(sql.CONVERSATION, session_id=bind(session_id)))

    async def commit_step(self, commit: StepCommit, /) -> None:
        """See `Ledger.commit_step`."""
        advance = Statement(sql.ADVANCE_RUN, (_owned(commit),), _FENCED)
        await self._database.write(advance, *_results(commit))

    async def finish_run(self, end: RunEndRecord, /) -> None:
        """See `Ledger.finish_run`."""
        last = {"state": end.state, "outcome": end.outcome, "error": bind(end.error), "ended_at": end.ended_at}
        finish = Statement(sql.FINISH_RUN, (_owned(end) | last,), _FENCED)
        await self._database.write(finish, *_results(end))

    async def run(self, run_id: str, /) -> RunRecord | None:
        """See `Ledger.run`."""
        rows = await self._database.read(sql.SELECT_RUN, id=bind(run_id))
        return run_record(rows[0]) if rows else None

    async def steps(self, run_id: str, /) -> tuple[StepRecord, ...]:
        """See `Ledger.steps`."""
        return tuple(map(step_record, await self._database.read(sql.SELECT_STEPS, run_id=bind(run_id))))

    async def interrupt_runs(self, now: float, /) -> int:
        """See `Ledger.interrupt_runs`."""
        params = {"error": bind(_INTERRUPTED), "now": now}
        (interrupted,) = await self._database.write(Statement(sql.INTERRUPT_RUNS, (params,)))
        return interrupted

    async def ping(self) -> None:
        """See `Ledger.ping`."""
        await self._database.read(sql.PING)

    async def close(self) -> None:
        """See `Ledger.close`."""
        await self._database.close()


def _owned(work: StepCommit | RunEndRecord) -> Params:
    """The run's progress, and by what right it is written."""
    return columns(work.progress) | {"run_id": bind(work.run_id), "fence": work.fence}


def _results(work: StepCommit | RunEndRecord) -> list[Statement]:
    run = bind(work.run_id)
    steps = tuple(columns(step) | {"run_id": run} for step in work.steps)
    messages = _messages(run, [(produced.message, produced.step) for produced in work.messages])
    return [*([Statement(sql.INSERT_STEP, steps)] if steps else []), *messages]


def _messages(run: object, messages: list[tuple[Message, int | None]]) -> list[Statement]:
    rows = tuple(
        {"run_id": run, "role": message.role, "parts": bind(message.parts), "step": step} for message, step in messages
    )
    return [Statement(sql.INSERT_MESSAGE, rows)] if rows else []
