"""The schema of the ledger: what the migrations lead to, compared with them by a test.

Only migrations import this module: SQLAlchemy costs more start-up time than a ledger that is up to date can spare.
"""

from __future__ import annotations

from sqlalchemy import Column, Double, ForeignKey, Index, Integer, MetaData, PrimaryKeyConstraint, Table, Text

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

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
    Index(None, "principal", "expires_at"),
    Index(None, "expires_at"),
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
    Index(None, "session_id"),
    Index(None, "state"),
    Index(None, "created_at"),
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
