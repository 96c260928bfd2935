"""Durable runs: logs, intents, waits and grants; what lists, claims, expiries and sweeps need to be quick."""

from __future__ import annotations

from alembic import op
from sqlalchemy import Column, Double, ForeignKeyConstraint, Integer, PrimaryKeyConstraint, Text, text

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Adds columns and tables; no table is written anew."""
    _extend_sessions()
    _extend_runs()
    _create_events()
    _create_intents()
    _create_waits()
    _create_grants()


def _extend_sessions() -> None:
    op.add_column("sessions", Column("updated_at", Double, nullable=False, server_default="0"))
    op.add_column("sessions", Column("parent", Text))
    op.execute(
        "UPDATE sessions SET updated_at ="
        " coalesce((SELECT max(created_at) FROM runs WHERE runs.session_id = sessions.id), created_at)"
    )
    op.create_index("ix_sessions_principal_created_at_id", "sessions", ["principal", "created_at", "id"])
    op.create_index("ix_sessions_created_at_id", "sessions", ["created_at", "id"])
    op.create_index("ix_sessions_updated_at", "sessions", ["updated_at"])
    op.create_index("ix_sessions_head_run", "sessions", ["head_run"])


def _extend_runs() -> None:
    op.add_column("runs", Column("key_digest", Text, nullable=False, server_default=""))
    op.add_column("runs", Column("request", Text, nullable=False, server_default="{}"))
    op.add_column("runs", Column("elapsed", Double, nullable=False, server_default="0"))
    op.add_column("runs", Column("has_events", Integer, nullable=False, server_default="1"))
    op.add_column("runs", Column("has_steps", Integer, nullable=False, server_default="1"))
    # Those that go on are still their key's.
    op.execute(
        "UPDATE runs SET key_digest ="
        " coalesce((SELECT sessions.key_digest FROM sessions WHERE sessions.id = runs.session_id), '')"
        " WHERE state = 'running'"
    )
    op.drop_index("ix_runs_state", "runs")
    op.drop_index("ix_runs_created_at", "runs")
    op.create_index("ix_runs_prior_run", "runs", ["prior_run"])
    op.create_index("ix_runs_state_created_at_id", "runs", ["state", "created_at", "id"])
    op.create_index("ix_runs_principal_created_at_id", "runs", ["principal", "created_at", "id"])
    op.create_index("ix_runs_created_at_id", "runs", ["created_at", "id"])
    _index("ix_runs_leased", "runs", "state", "lease_until", where="state = 'running'")
    _index("ix_runs_with_events", "runs", "ended_at", where="has_events = 1 AND ended_at IS NOT NULL")
    _index("ix_runs_with_steps", "runs", "ended_at", where="has_steps = 1 AND ended_at IS NOT NULL")
    _index("ix_runs_alone", "runs", "session_id", "ended_at", where="session_id IS NULL AND ended_at IS NOT NULL")


def _index(name: str, table: str, *columns: str, where: str) -> None:
    op.create_index(name, table, list(columns), sqlite_where=text(where), postgresql_where=text(where))


def _create_events() -> None:
    op.create_table(
        "events",
        Column("run_id", Text, nullable=False),
        Column("fence", Integer, nullable=False),
        Column("n", Integer, nullable=False),
        Column("size", Integer, nullable=False),
        Column("kind", Text, nullable=False),
        Column("step", Integer, nullable=False),
        Column("path", Text, nullable=False),
        Column("at", Double, nullable=False),
        Column("data", Text, nullable=False),
        PrimaryKeyConstraint("run_id", "fence", "n", name="pk_events"),
        ForeignKeyConstraint(["run_id"], ["runs.id"], name="fk_events_run_id_runs", ondelete="CASCADE"),
    )
    _index("ix_events_deltas", "events", "run_id", "step", where="kind IN ('text.delta', 'thinking.delta')")


def _create_intents() -> None:
    op.create_table(
        "intents",
        Column("run_id", Text, nullable=False),
        Column("step", Integer, nullable=False),
        Column("fence", Integer, nullable=False),
        Column("call_id", Text, nullable=False),
        Column("tool", Text, nullable=False),
        Column("at", Double, nullable=False),
        PrimaryKeyConstraint("run_id", "step", name="pk_intents"),
        ForeignKeyConstraint(["run_id"], ["runs.id"], name="fk_intents_run_id_runs", ondelete="CASCADE"),
    )


def _create_waits() -> None:
    op.create_table(
        "waits",
        Column("id", Text, nullable=False),
        Column("run_id", Text, nullable=False),
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
        PrimaryKeyConstraint("id", name="pk_waits"),
        ForeignKeyConstraint(["run_id"], ["runs.id"], name="fk_waits_run_id_runs", ondelete="CASCADE"),
    )
    op.create_index("ix_waits_run_id", "waits", ["run_id"])
    op.create_index("ix_waits_session_id", "waits", ["session_id"])
    op.create_index("ix_waits_state_created_at_id", "waits", ["state", "created_at", "id"])
    op.create_index("ix_waits_created_at_id", "waits", ["created_at", "id"])
    _index("ix_waits_expiring", "waits", "state", "expires_at", where="state = 'pending'")


def _create_grants() -> None:
    op.create_table(
        "grants",
        Column("session_id", Text, nullable=False),
        Column("policy", Text, nullable=False),
        Column("tool", Text, nullable=False),
        Column("qualifier", Text, nullable=False),
        Column("granted_by", Text, nullable=False),
        Column("granted_at", Double, nullable=False),
        PrimaryKeyConstraint("session_id", "policy", "tool", "qualifier", name="pk_grants"),
        ForeignKeyConstraint(["session_id"], ["sessions.id"], name="fk_grants_session_id_sessions", ondelete="CASCADE"),
    )
