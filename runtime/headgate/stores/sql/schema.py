"""Which schema a database has, and which one this build needs."""

from __future__ import annotations

import pkgutil
import sqlite3

from headgate.core.errors import StoreError

HEAD = "0005"
"""The newest revision of `migrations/versions`; a test holds the two together."""

_UPGRADE = "headgate.stores.sql.upgrade:upgrade"


def prepare(db: sqlite3.Connection) -> None:
    """Brings the database to `HEAD`; raises `StoreError` for one that is newer or that belongs to another program."""
    version = _version(db)
    if version == HEAD:
        return
    if version is not None and version > HEAD:
        raise StoreError(
            f"The database has schema {version} and this build knows only up to {HEAD}: "
            "start the Headgate that wrote it, or name another database in [store] url.",
            code="store_newer",
        )
    # Resolved late on purpose: the import costs some 300 ms, and a database that is up to date never needs it.
    pkgutil.resolve_name(_UPGRADE)(db)


def _version(db: sqlite3.Connection) -> str | None:
    """The revision of the database, None for one that is empty."""
    tables = {name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if not tables:
        return None
    if "alembic_version" not in tables:
        raise StoreError("The database belongs to another program: name another one in [store] url.")
    row = db.execute("SELECT max(version_num) FROM alembic_version").fetchone()
    return str(row[0]) if row[0] is not None else None
