"""The eighth schema: what people grant the gateway at servers, encrypted."""

from __future__ import annotations

from alembic import op
from sqlalchemy import Column, Double, Integer, PrimaryKeyConstraint, Text

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Adds a table."""
    op.create_table(
        "credentials",
        Column("kind", Text, nullable=False),
        Column("owner", Text, nullable=False),
        Column("name", Text, nullable=False),
        Column("sealed", Text, nullable=False),
        Column("revision", Integer, nullable=False),
        Column("created_at", Double, nullable=False),
        Column("updated_at", Double, nullable=False),
        Column("expires_at", Double),
        PrimaryKeyConstraint("kind", "owner", "name", name="pk_credentials"),
    )
