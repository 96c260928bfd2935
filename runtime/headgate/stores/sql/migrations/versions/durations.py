"""Beside what a model turn used stands how long the run went on for it."""

from __future__ import annotations

from alembic import op
from sqlalchemy import Column, Double

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Adds a column; turns of before took no time that is known."""
    op.add_column("usage", Column("seconds", Double, nullable=False, server_default="0"))
