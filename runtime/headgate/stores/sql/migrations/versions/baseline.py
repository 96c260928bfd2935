"""The first schema: sessions, runs, steps and messages."""

from __future__ import annotations

from alembic import op
from sqlalchemy import Column, Double, ForeignKeyConstraint, Integer, PrimaryKeyConstraint, Text

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Makes the tables, parents first."""
    _create_sessions()
    _create_runs()
    _create_steps()
    _create_messages()


def _create_sessions() -> None:
    op.create_table(
        "sessions",
        Column("id", Text, nullable=False),
        Column("principal", Text, nullable=False),
        Column("key_digest", Text, nullable=False),
        Column("agent", Text, nullable=False),
        Column("created_at", Double, nullable=False),
        Column("expires_at", Double, nullable=False),
        Column("head_run", Text),
        Column("state", Text, nullable=False),
        PrimaryKeyConstraint("id", name="pk_sessions"),
    )
    op.create_index("ix_sessions_principal_expires_at", "sessions", ["principal", "expires_at"])
    op.create_index("ix_sessions_expires_at", "sessions", ["expires_at"])


def _create_runs() -> None:
    op.create_table(
        "runs",
        Column("id", Text, nullable=False),
        Column("session_id", Text),
        Column("prior_run", Text),
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
        PrimaryKeyConstraint("id", name="pk_runs"),
        ForeignKeyConstraint(["session_id"], ["sessions.id"], name="fk_runs_session_id_sessions"),
        ForeignKeyConstraint(["prior_run"], ["runs.id"], name="fk_runs_prior_run_runs"),
    )
    for column in ("session_id", "state", "created_at"):
        op.create_index(f"ix_runs_{column}", "runs", [column])


def _create_steps() -> None:
    op.create_table(
        "steps",
        Column("run_id", Text, nullable=False),
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
        PrimaryKeyConstraint("run_id", "n", name="pk_steps"),
        ForeignKeyConstraint(["run_id"], ["runs.id"], name="fk_steps_run_id_runs", ondelete="CASCADE"),
    )


def _create_messages() -> None:
    op.create_table(
        "messages",
        Column("run_id", Text, nullable=False),
        Column("n", Integer, nullable=False),
        Column("role", Text, nullable=False),
        Column("parts", Text, nullable=False),
        Column("step", Integer),
        PrimaryKeyConstraint("run_id", "n", name="pk_messages"),
        ForeignKeyConstraint(["run_id"], ["runs.id"], name="fk_messages_run_id_runs", ondelete="CASCADE"),
    )
