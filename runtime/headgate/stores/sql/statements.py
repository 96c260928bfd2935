"""The ledger's statements: portable SQL with `:name` parameters, the same on every database."""

from __future__ import annotations

from headgate.stores.records import RunRecord, SessionRecord, StepRecord


def _insert(table: str, names: tuple[str, ...]) -> str:
    return f"INSERT INTO {table} ({', '.join(names)}) VALUES ({', '.join(f':{name}' for name in names)})"


def _select(table: str, names: tuple[str, ...]) -> str:
    return f"SELECT {', '.join(names)} FROM {table}"


INSERT_SESSION = _insert("sessions", SessionRecord.__struct_fields__)
SELECT_SESSION = _select("sessions", SessionRecord.__struct_fields__) + " WHERE id = :id"

COUNT_SESSIONS = """
SELECT count(*) FROM sessions WHERE principal = :principal AND expires_at > :now AND state = 'open'
"""

SWEEP_SESSIONS = """
DELETE FROM sessions
WHERE expires_at <= :now AND NOT EXISTS (SELECT 1 FROM runs WHERE runs.session_id = sessions.id)
"""

MOVE_HEAD = "UPDATE sessions SET head_run = :head_run WHERE id = :id"

INSERT_RUN = """
INSERT INTO runs (id, session_id, prior_run, agent, principal, team, revision, model, channel, state, fence,
                  turns, usage, cost, answer, created_at, started_at)
VALUES (:id, :session_id, :prior_run, :agent, :principal, :team, :revision, :model, :channel, 'running', 1,
        0, '{}', 0.0, '', :created_at, :created_at)
"""

SELECT_RUN = _select("runs", RunRecord.__struct_fields__) + " WHERE id = :id"

ADVANCE_RUN = """
UPDATE runs SET turns = :turns, usage = :usage, cost = :cost, answer = :answer
WHERE id = :run_id AND fence = :fence AND state = 'running'
"""

FINISH_RUN = """
UPDATE runs SET turns = :turns, usage = :usage, cost = :cost, answer = :answer, state = :state, outcome = :outcome,
                error = :error, ended_at = :ended_at, lease_owner = NULL, lease_until = NULL
WHERE id = :run_id AND fence = :fence AND state = 'running'
"""

INTERRUPT_RUNS = """
UPDATE runs SET state = 'failed', outcome = 'error', error = :error, ended_at = :now,
                lease_owner = NULL, lease_until = NULL
WHERE state = 'running'
"""

INSERT_STEP = _insert("steps", ("run_id", *StepRecord.__struct_fields__))
SELECT_STEPS = _select("steps", StepRecord.__struct_fields__) + " WHERE run_id = :run_id ORDER BY n"

# The place of a message is the ledger's to give: its writers need not know what was committed before them.
INSERT_MESSAGE = """
INSERT INTO messages (run_id, n, role, parts, step)
VALUES (:run_id, (SELECT coalesce(max(n), 0) + 1 FROM messages WHERE run_id = :run_id), :role, :parts, :step)
"""

CONVERSATION = """
WITH RECURSIVE chain (id, depth) AS (
    SELECT head_run, 0 FROM sessions WHERE id = :session_id AND head_run IS NOT NULL
    UNION ALL
    SELECT runs.prior_run, chain.depth + 1
    FROM chain JOIN runs ON runs.id = chain.id
    WHERE runs.prior_run IS NOT NULL
)
SELECT runs.id, runs.answer, runs.state, messages.role, messages.parts, messages.step
FROM chain JOIN runs ON runs.id = chain.id LEFT JOIN messages ON messages.run_id = runs.id
ORDER BY chain.depth DESC, messages.n
"""

PING = "SELECT version_num FROM alembic_version"
