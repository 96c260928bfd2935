"""The fourth schema: overlay documents, and the counter of their generations."""

from __future__ import annotations

from alembic import op
from sqlalchemy import Column, Double, Integer, PrimaryKeyConstraint, Text

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Adds two tables."""
    op.create_table(
        "documents",
        Column("kind", Text, nullable=False),
        Column("name", Text, nullable=False),
        Column("body", Text, nullable=False),
        Column("sealed", Text),
        Column("revision", Integer, nullable=False),
        Column("created_at", Double, nullable=False),
        Column("created_by", Text, nullable=False),
        Column("updated_at", Double, nullable=False),
        Column("updated_by", Text, nullable=False),
        PrimaryKeyConstraint("kind", "name", name="pk_documents"),
    )
    op.create_table(
        "counters",
        Column("name", Text, nullable=False),
        Column("value", Integer, nullable=False),
        PrimaryKeyConstraint("name", name="pk_counters"),
    )
