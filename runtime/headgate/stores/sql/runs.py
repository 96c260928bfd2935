"""The ledger's runs, their steps and their logs in SQL."""

from __future__ import annotations

from collections.abc import Sequence

from headgate.core.events import Event, EventId
from headgate.core.messages import Message
from headgate.stores.records import (
    Intent,
    Lease,
    NewRun,
    Parked,
    Resumption,
    RunEndRecord,
    RunFilter,
    RunRecord,
    StepCommit,
    StepRecord,
)
from headgate.stores.sql.audit import recording
from headgate.stores.sql.database import Database, Guard, Statement
from headgate.stores.sql.log import COLUMNS, DELTAS, log_rows, page, resolved_wait, told_rows
from headgate.stores.sql.rows import Params, bind, columns, exchanges, run_record, step_record, wait_record
from headgate.stores.sql.sessions import LEADING_TO_RUN
from headgate.stores.sql.statements import FENCED, OWNED, held, insert, listing, only, select
from headgate.stores.sql.usage import accounting
from headgate.stores.told import Batch, Told
from headgate.stores.waits import WaitRecord

_FIELDS = RunRecord.__struct_fields__
_STEP = StepRecord.__struct_fields__

_MOVE_HEAD = """
UPDATE sessions SET head_run = :head_run, updated_at = :updated_at WHERE id = :id AND state = 'open'
"""

_INSERT = """
INSERT INTO runs (id, session_id, prior_run, agent, principal, key_digest, team, revision, model, channel, request,
                  state, fence, lease_owner, lease_until, turns, usage, cost, answer, elapsed, created_at, started_at)
VALUES (:id, :session_id, :prior_run, :agent, :principal, :key_digest, :team, :revision, :model, :channel, :request,
        'running', 1, :lease_owner, {now} + :lease_seconds, 0, '{}', 0, '', 0, :created_at, :created_at)
"""

_SELECT = select("runs", _FIELDS) + " WHERE id = :id"

ADVANCE = f"""
UPDATE runs SET turns = :turns, usage = :usage, cost = :cost, answer = :answer, elapsed = :elapsed WHERE {OWNED}
"""

_FINISH = f"""
UPDATE runs SET turns = :turns, usage = :usage, cost = :cost, answer = :answer, elapsed = :elapsed, state = :state,
                outcome = :outcome, error = :error, ended_at = :ended_at, lease_owner = NULL, lease_until = NULL
WHERE {OWNED}
"""

_INSERT_STEP = insert("steps", ("run_id", *_STEP))
_SELECT_STEPS = select("steps", _STEP) + " WHERE run_id = :id ORDER BY n"

# The place of a message is the ledger's to give: its writers need not know what was committed before them.
_INSERT_MESSAGE = """
INSERT INTO messages (run_id, n, role, parts, step)
VALUES (:run_id, (SELECT coalesce(max(n), 0) + 1 FROM messages WHERE run_id = :run_id), :role, :parts, :step)
"""

_INSERT_EVENT = insert("events", COLUMNS)
_APPEND_EVENT = f"""
INSERT INTO events ({", ".join(COLUMNS)})
SELECT {", ".join(f":{name}" for name in COLUMNS)} FROM runs WHERE {OWNED} {{share}}
"""
_DROP_DELTAS = f"DELETE FROM events WHERE run_id = :run_id AND step = :step AND {DELTAS}"

# The row with the greatest number up to the one that was seen may stand for more events than that.
_EVENTS = f"""
SELECT {", ".join(COLUMNS)} FROM events
WHERE run_id = :id AND (fence, n) >= (
    :fence, (SELECT coalesce(max(n), 0) FROM events WHERE run_id = :id AND fence = :fence AND n <= :n)
)
ORDER BY fence, n LIMIT :limit
"""

_BEGIN_CALL = """
INSERT INTO intents (run_id, step, fence, call_id, tool, at) VALUES (:run_id, :step, :fence, :call_id, :tool, :at)
ON CONFLICT (run_id, step) DO UPDATE SET fence = :fence, call_id = :call_id, tool = :tool, at = :at
"""
DROP_INTENT = "DELETE FROM intents WHERE run_id = :run_id AND step = :step"
_DROP_INTENTS = "DELETE FROM intents WHERE run_id = :run_id"

_CANCEL_WAITS = f"""
UPDATE waits SET state = 'cancelled', resolved_at = :ended_at, revision = revision + 1
WHERE run_id = :run_id AND {only("state", "'pending'")}
"""
_FORGET = "UPDATE waits SET result = NULL, round = NULL WHERE run_id = :run_id AND step = :step AND kind = 'input'"
_FORGET_ALL = "UPDATE waits SET result = NULL, round = NULL WHERE run_id = :run_id AND kind = 'input'"

_NEWEST_TURN = "coalesce((SELECT max(n) FROM steps WHERE run_id = :id AND kind = 'model'), 0)"
_LOAD = (
    _SELECT,
    LEADING_TO_RUN,
    f"{select('steps', _STEP)} WHERE run_id = :id AND n >= {_NEWEST_TURN} ORDER BY n",
    f"""
    SELECT step, at FROM intents WHERE run_id = :id AND step > {_NEWEST_TURN}
    AND NOT EXISTS (SELECT 1 FROM steps WHERE steps.run_id = intents.run_id AND steps.n = intents.step)
    """,
    f"SELECT DISTINCT step FROM events WHERE run_id = :id AND kind = 'tool.started' AND step > {_NEWEST_TURN}",
    "SELECT data FROM events WHERE run_id = :id AND kind IN ('approval.resolved', 'input.resolved')",
    select("waits", WaitRecord.__struct_fields__) + " WHERE run_id = :id ORDER BY created_at, id",
)

_NO_SESSION = Guard("store_conflict", "The run's session is closed or does not exist.")
_AT_ONCE = 64
"""Rows of a log that are read at once at most, so that no reader takes much memory."""


class SqlRuns:
    """Fulfils `RunLedger`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create_run(self, new: NewRun, lease: Lease, told: Told, /) -> None:
        """See `RunLedger.create_run`."""
        run = columns(new) | {"lease_owner": bind(lease.owner), "lease_seconds": lease.seconds}
        del run["messages"]
        work = [
            Statement(self._database.dialect.spell(_INSERT), (run,)),
            *_messages(run["id"], [(message, None) for message in new.messages]),
            *telling(run["id"], 1, told),
            *recording(self._database.dialect, told.audit),
        ]
        if new.session_id is not None:
            moved = {"id": run["session_id"], "head_run": run["id"], "updated_at": new.created_at}
            work.insert(0, Statement(_MOVE_HEAD, (moved,), _NO_SESSION))
        await self._database.write(*work)

    async def run(self, run_id: str, /) -> RunRecord | None:
        """See `RunLedger.run`."""
        rows = await self._database.read(_SELECT, id=bind(run_id))
        return run_record(rows[0]) if rows else None

    async def runs(self, wanted: RunFilter, /) -> tuple[RunRecord, ...]:
        """See `RunLedger.runs`."""
        sql, params = listing(select("runs", _FIELDS), wanted, ("session_id", "principal", "state", "agent"))
        return tuple(map(run_record, await self._database.read(sql, **params)))

    async def steps(self, run_id: str, /) -> tuple[StepRecord, ...]:
        """See `RunLedger.steps`."""
        return tuple(map(step_record, await self._database.read(_SELECT_STEPS, id=bind(run_id))))

    async def load(self, run_id: str, /) -> Resumption | None:
        """See `RunLedger.load`."""
        row = {"id": bind(run_id)}
        queries = [Statement(sql, (row,)) for sql in _LOAD]
        run, chain, steps, begun, started, resolved, waits = await self._database.view(*queries)
        if not run:
            return None
        return Resumption(
            run=run_record(run[0]),
            conversation=exchanges(chain),
            steps=tuple(map(step_record, steps)),
            begun={step: float(at) for step, at in begun},
            started=frozenset(step for (step,) in started),
            resolved=frozenset(resolved_wait(data) for (data,) in resolved),
            waits=tuple(map(wait_record, waits)),
        )

    async def events(self, run_id: str, after: EventId, limit: int, /) -> tuple[Event, ...]:
        """See `RunLedger.events`."""
        # One more, for the row of the event that was seen; one row for each number would be as many as are wanted.
        rows = await self._database.read(
            _EVENTS, id=bind(run_id), fence=after[0], n=after[1], limit=min(limit, _AT_ONCE) + 1
        )
        return page(rows, after, limit)

    async def commit_step(self, commit: StepCommit, /) -> None:
        """See `RunLedger.commit_step`."""
        calls = tuple({"run_id": bind(commit.run_id), "step": step.n} for step in commit.steps if step.kind == "tool")
        drop = [Statement(DROP_INTENT, calls)] if calls else []
        drop += [Statement(_FORGET, ({"run_id": bind(commit.run_id), "step": step},)) for step in commit.forget]
        await self._database.write(
            Statement(ADVANCE, (owned(commit),), FENCED),
            *_results(commit),
            *drop,
            *recording(self._database.dialect, commit.told.audit),
        )

    async def begin_call(self, intent: Intent, /) -> None:
        """See `RunLedger.begin_call`."""
        row = columns(intent)
        del row["told"]
        begin = Statement(_BEGIN_CALL, (row,))
        await self._database.write(
            held(intent.run_id, intent.fence),
            begin,
            *telling(row["run_id"], intent.fence, intent.told),
            *recording(self._database.dialect, intent.told.audit),
        )

    async def append_events(self, batches: Sequence[Batch], /) -> None:
        """See `RunLedger.append_events`."""
        # In the order of their ids, as everything that takes the locks of several runs.
        rows = [
            row
            for batch in sorted(batches, key=lambda batch: batch.run_id)
            for row in log_rows(str(bind(batch.run_id)), batch.fence, batch.events)
        ]
        if rows:
            await self._database.write(Statement(self._database.dialect.spell(_APPEND_EVENT), tuple(rows)))

    async def finish_run(self, end: RunEndRecord, /) -> None:
        """See `RunLedger.finish_run`."""
        last = {"state": end.state, "outcome": end.outcome, "error": bind(end.error), "ended_at": end.ended_at}
        rest = {"run_id": bind(end.run_id)}
        await self._database.write(
            Statement(_FINISH, (owned(end) | last,), FENCED),
            *_results(end),
            Statement(_DROP_INTENTS, (rest,)),
            Statement(_CANCEL_WAITS, (rest | {"ended_at": end.ended_at},)),
            Statement(_FORGET_ALL, (rest,)),
            *recording(self._database.dialect, end.told.audit),
        )


def owned(work: StepCommit | Parked | RunEndRecord) -> Params:
    """The run's progress, and by what right it is written."""
    return columns(work.progress) | {"run_id": bind(work.run_id), "fence": work.fence}


def telling(run: str, fence: int, told: Told) -> list[Statement]:
    """What adds to the log of the run, and to what it has used."""
    work = accounting(run, fence, told.used)
    if told.deltas:
        steps = {delta.step for delta in told.deltas}
        work.append(Statement(_DROP_DELTAS, tuple({"run_id": run, "step": step} for step in steps)))
    rows = tuple(told_rows(run, fence, told))
    return [*work, Statement(_INSERT_EVENT, rows)] if rows else work


def _results(work: StepCommit | RunEndRecord) -> list[Statement]:
    run = bind(work.run_id)
    steps = tuple(columns(step) | {"run_id": run} for step in work.steps)
    messages = _messages(run, [(produced.message, produced.step) for produced in work.messages])
    return [
        *([Statement(_INSERT_STEP, steps)] if steps else []),
        *messages,
        *telling(str(run), work.fence, work.told),
    ]


def _messages(run: object, messages: list[tuple[Message, int | None]]) -> list[Statement]:
    rows = tuple(
        {"run_id": run, "role": message.role, "parts": bind(message.parts), "step": step} for message, step in messages
    )
    return [Statement(_INSERT_MESSAGE, rows)] if rows else []
