"""Writes `stores/sql/fresh.sql`, the schema that the migrations lead to; with `--check` only compares."""

from __future__ import annotations

import sqlite3
import sys
from contextlib import closing
from pathlib import Path

from headgate.stores.sql.upgrade import upgrade

TARGET = Path(__file__).parent.parent / "runtime/headgate/stores/sql/fresh.sql"
HEAD = """-- Written by scripts/fresh.py: what the migrations lead to, for databases that are new. Making one of it
-- needs neither SQLAlchemy nor Alembic.
"""


def fresh() -> str:
    """The statements that make the newest schema at once."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as db:
        upgrade(db)
        kept = [each for each in db.iterdump() if each not in ("BEGIN TRANSACTION;", "COMMIT;")]
    return HEAD + "\n".join(kept) + "\n"


def main() -> int:
    """Writes, or says whether it would."""
    text = fresh()
    if "--check" not in sys.argv:
        TARGET.write_text(text, encoding="utf-8")
        return 0
    if TARGET.read_text(encoding="utf-8") == text:
        return 0
    print("fresh.sql is not what the migrations lead to: run scripts/fresh.py", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
