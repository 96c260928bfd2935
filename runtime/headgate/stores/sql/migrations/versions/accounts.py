"""What is kept of who did what and what it cost: the audit log, its anchor, and the usage of model turns."""

from __future__ import annotations

from alembic import op
from sqlalchemy import BigInteger, Column, Double, Integer, PrimaryKeyConstraint, Text

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Adds tables."""
    _create_audit()
    _create_anchor()
    _create_usage()


def _create_audit() -> None:
    # No index: every commit would write one more page for it. Reports read these tables a piece at a time.
    op.create_table(
        "audit",
        # SQLite's own row number must be an INTEGER; a log of years does not fit PostgreSQL's.
        Column("n", BigInteger().with_variant(Integer, "sqlite"), nullable=False, autoincrement=False),
        Column("hash", Text, nullable=False),
        Column("entry", Text, nullable=False),
        Column("at", Double, nullable=False),
        Column("kind", Text, nullable=False),
        Column("key", Text, nullable=False),
        Column("run", Text),
        PrimaryKeyConstraint("n", name="pk_audit"),
    )


def _create_anchor() -> None:
    op.create_table(
        "audit_anchor",
        Column("id", Integer, nullable=False, autoincrement=False),
        Column("n", BigInteger, nullable=False),
        Column("hash", Text, nullable=False),
        PrimaryKeyConstraint("id", name="pk_audit_anchor"),
    )
    op.execute("INSERT INTO audit_anchor (id, n, hash) VALUES (1, 0, '')")


def _create_usage() -> None:
    op.create_table(
        "usage",
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
        Column("cost", Double),
        Column("broken", Integer, nullable=False),
        Column("owner", Text, nullable=False),
        PrimaryKeyConstraint("at", "run_id", "fence", "n", name="pk_usage"),
        # The rows are in their key: one tree less to write in every turn.
        sqlite_with_rowid=False,
    )
