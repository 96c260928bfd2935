"""Questions of MCP servers stand in the waits, with what their calls go on with."""

from __future__ import annotations

from alembic import op
from sqlalchemy import Column, Text

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Adds two columns; waits of before have none of them."""
    op.add_column("waits", Column("question", Text))
    op.add_column("waits", Column("round", Text))
