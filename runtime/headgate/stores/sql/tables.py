"""The schema of the ledger: what the migrations lead to, compared with them by a test.

Only migrations import this module: SQLAlchemy costs more start-up time than a ledger that is up to date can spare.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    text,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _partial(name: str, *columns: str, where: str) -> Index:
    """An index of some rows only, on every database.

    It begins with the column that its condition is about, so that SQLite prefers it to one of that column alone.
    """
    return Index(name, *columns, sqlite_where=text(where), postgresql_where=text(where))


# Times and costs are `Double`: PostgreSQL's REAL has 24 bits, which epoch seconds do not fit. JSON is text, so that it
# comes back byte for byte and one decoder serves every database.

sessions = Table(
    "sessions",
    metadata,
    Column("id", Text, primary_key=True),
    Column("principal", Text, nullable=False),
    Column("key_digest", Text, nullable=False),
    Column("agent", Text, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("expires_at", Double, nullable=False),
    # No foreign key: sessions and runs would refer to each other.
    Column("head_run", Text),
    Column("state", Text, nullable=False),
    Column("updated_at", Double, nullable=False, server_default="0"),
    # No foreign key: a fork outlives the session that it was made from.
    Column("parent", Text),
    Index(None, "principal", "expires_at"),
    Index(None, "expires_at"),
    Index(None, "principal", "created_at", "id"),
    Index(None, "created_at", "id"),
    Index(None, "updated_at"),
    Index(None, "head_run"),
)

runs = Table(
    "runs",
    metadata,
    Column("id", Text, primary_key=True),
    Column("session_id", Text, ForeignKey("sessions.id")),
    Column("prior_run", Text, ForeignKey("runs.id")),
    Column("agent", Text, nullable=False),
    Column("principal", Text, nullable=False),
    Column("team", Text, nullable=False),
    Column("revision", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("channel", Text),
    Column("state", Text, nullable=False),
    Column("outcome", Text),
    Column("error", Text),
    Column("fence", Integer, nullable=False),
    Column("lease_owner", Text),
    Column("lease_until", Double),
    Column("turns", Integer, nullable=False),
    Column("usage", Text, nullable=False),
    Column("cost", Double, nullable=False),
    Column("answer", Text, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("started_at", Double),
    Column("ended_at", Double),
    Column("key_digest", Text, nullable=False, server_default=""),
    Column("request", Text, nullable=False, server_default="{}"),
    Column("elapsed", Double, nullable=False, server_default="0"),
    # Whether a sweep may still find events and steps of the run; 0 once it has removed them.
    Column("has_events", Integer, nullable=False, server_default="1"),
    Column("has_steps", Integer, nullable=False, server_default="1"),
    Index(None, "session_id"),
    Index(None, "prior_run"),
    Index(None, "state", "created_at", "id"),
    Index(None, "principal", "created_at", "id"),
    Index(None, "created_at", "id"),
    _partial("ix_runs_leased", "state", "lease_until", where="state = 'running'"),
    _partial("ix_runs_with_events", "ended_at", where="has_events = 1 AND ended_at IS NOT NULL"),
    _partial("ix_runs_with_steps", "ended_at", where="has_steps = 1 AND ended_at IS NOT NULL"),
    _partial("ix_runs_alone", "session_id", "ended_at", where="session_id IS NULL AND ended_at IS NOT NULL"),
)

steps = Table(
    "steps",
    metadata,
    Column("run_id", Text, ForeignKey("runs.id", ondelete="CASCADE"), nullable=False),
    Column("n", Integer, nullable=False),
    Column("kind", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("call_id", Text),
    Column("status", Text, nullable=False),
    Column("args", Text),
    Column("result", Text),
    Column("usage", Text),
    Column("cost", Double, nullable=False),
    Column("started_at", Double, nullable=False),
    Column("ended_at", Double, nullable=False),
    PrimaryKeyConstraint("run_id", "n"),
)

messages = Table(
    "messages",
    metadata,
    Column("run_id", Text, ForeignKey("runs.id", ondelete="CASCADE"), nullable=False),
    Column("n", Integer, nullable=False),
    Column("role", Text, nullable=False),
    Column("parts", Text, nullable=False),
    # NULL for a message that the client posted.
    Column("step", Integer),
    PrimaryKeyConstraint("run_id", "n"),
)

# One row for each event, but for the deltas: those of one flush are one row, and a turn that is whole is one row with
# all of its deltas. A row stands for the events `n` to `n + size - 1`.
events = Table(
    "events",
    metadata,
    Column("run_id", Text, ForeignKey("runs.id", ondelete="CASCADE"), nullable=False),
    Column("fence", Integer, nullable=False),
    Column("n", Integer, nullable=False),
    Column("size", Integer, nullable=False),
    Column("kind", Text, nullable=False),
    Column("step", Integer, nullable=False),
    Column("path", Text, nullable=False),
    Column("at", Double, nullable=False),
    Column("data", Text, nullable=False),
    PrimaryKeyConstraint("run_id", "fence", "n"),
    _partial("ix_events_deltas", "run_id", "step", where="kind IN ('text.delta', 'thinking.delta')"),
)

intents = Table(
    "intents",
    metadata,
    Column("run_id", Text, ForeignKey("runs.id", ondelete="CASCADE"), nullable=False),
    Column("step", Integer, nullable=False),
    Column("fence", Integer, nullable=False),
    Column("call_id", Text, nullable=False),
    Column("tool", Text, nullable=False),
    Column("at", Double, nullable=False),
    PrimaryKeyConstraint("run_id", "step"),
)

waits = Table(
    "waits",
    metadata,
    Column("id", Text, primary_key=True),
    Column("run_id", Text, ForeignKey("runs.id", ondelete="CASCADE"), nullable=False),
    Column("session_id", Text),
    Column("step", Integer, nullable=False),
    Column("call_id", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("tool", Text, nullable=False),
    Column("args", Text, nullable=False),
    Column("args_hash", Text, nullable=False),
    Column("agent", Text, nullable=False),
    Column("principal", Text, nullable=False),
    Column("team", Text, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("expires_at", Double, nullable=False),
    Column("policy", Text),
    Column("qualifier", Text),
    Column("approvers", Text, nullable=False),
    Column("quorum", Integer, nullable=False),
    Column("shown", Text, nullable=False),
    Column("may_remember", Integer, nullable=False),
    Column("votes", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("result", Text),
    Column("resolved_at", Double),
    Column("revision", Integer, nullable=False),
    Column("trail", Text),
    Column("question", Text),
    Column("round", Text),
    Index(None, "run_id"),
    Index(None, "session_id"),
    Index(None, "state", "created_at", "id"),
    Index(None, "created_at", "id"),
    _partial("ix_waits_expiring", "state", "expires_at", where="state = 'pending'"),
)

grants = Table(
    "grants",
    metadata,
    Column("session_id", Text, ForeignKey("sessions.id", ondelete="CASCADE"), nullable=False),
    Column("policy", Text, nullable=False),
    Column("tool", Text, nullable=False),
    Column("qualifier", Text, nullable=False),
    Column("granted_by", Text, nullable=False),
    Column("granted_at", Double, nullable=False),
    PrimaryKeyConstraint("session_id", "policy", "tool", "qualifier"),
)

documents = Table(
    "documents",
    metadata,
    Column("kind", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("sealed", Text),
    Column("revision", Integer, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("updated_at", Double, nullable=False),
    Column("updated_by", Text, nullable=False),
    PrimaryKeyConstraint("kind", "name"),
)

credentials = Table(
    "credentials", metadata,
    Column("kind", Text, nullable=False), Column("owner", Text, nullable=False), Column("name", Text, nullable=False),
    Column("sealed", Text, nullable=False), Column("revision", Integer, nullable=False),
    Column("created_at", Double, nullable=False), Column("updated_at", Double, nullable=False),
    Column("expires_at", Double), PrimaryKeyConstraint("kind", "owner", "name"),
)  # fmt: skip

counters = Table("counters", metadata, Column("name", Text, primary_key=True), Column("value", Integer, nullable=False))

# None of the tables below refers to runs or sessions: what it says outlives them. None has an index: each would be one
# more page to write in every commit. Reports read a piece at a time.

audit = Table(
    "audit",
    metadata,
    # SQLite's own row number must be an INTEGER; a log of years does not fit PostgreSQL's.
    Column("n", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False),
    Column("hash", Text, nullable=False),
    Column("entry", Text, nullable=False),
    # What the entry says too: only to find it by.
    Column("at", Double, nullable=False),
    Column("kind", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("run", Text),
)

# One row: the last record of the audit log that was trimmed. Who appends reserves it where several can at once.
audit_anchor = Table(
    "audit_anchor",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("n", BigInteger, nullable=False),
    Column("hash", Text, nullable=False),
)

# `minute` counts since the epoch: databases add up by it alike, which they do not by times.
usage = Table(
    "usage",
    metadata,
    Column("minute", Integer, nullable=False),
    Column("run_id", Text, nullable=False),
    Column("fence", Integer, nullable=False),
    Column("n", Integer, nullable=False),
    Column("step", Integer, nullable=False),
    Column("at", Double, nullable=False),
    Column("agent", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("team", Text, nullable=False),
    Column("session_id", Text),
    Column("provider", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("input", Integer, nullable=False),
    Column("output", Integer, nullable=False),
    Column("cache_write", Integer, nullable=False),
    Column("cache_write_1h", Integer, nullable=False),
    Column("cache_read", Integer, nullable=False),
    Column("reasoning", Integer, nullable=False),
    # NULL for a turn of a model without a known price.
    Column("cost", Double),
    Column("broken", Integer, nullable=False),
    Column("owner", Text, nullable=False),
    # How long the run went on since the turn before.
    Column("seconds", Double, nullable=False, server_default="0"),
    PrimaryKeyConstraint("at", "run_id", "fence", "n"),
    sqlite_with_rowid=False,
)
