"""What interceptors did before a front end was asked stands beside the question."""

from __future__ import annotations

from alembic import op
from sqlalchemy import Column, Text

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Adds a column; questions of before have none of it."""
    op.add_column("waits", Column("trail", Text))
