"""Where state lives: the ledger, opened by its URL."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from headgate.core.errors import ConfigError
from headgate.stores.port import Ledger
from headgate.stores.sql.ledger import SqlLedger
from headgate.stores.sql.sqlite import open_sqlite

_KEY = ("store", "url")


@asynccontextmanager
async def open_ledger(url: str, root: Path) -> AsyncIterator[Ledger]:
    """Opens the ledger at `url`, brings its schema up to date, and closes it at the end.

    `sqlite:///state.db` is relative to `root`, `sqlite:////var/lib/state.db` absolute, `sqlite://` in memory. Missing
    directories are made, private to the user. Raises `ConfigError` for a URL that this build cannot serve, and
    `StoreError` when the database cannot be opened (`store_newer` when a newer build wrote it).
    """
    async with open_sqlite(ledger_path(url, root)) as database:
        yield SqlLedger(database)


def ledger_path(url: str, root: Path) -> Path | None:
    """The file that the URL names, None for a database in memory; raises `ConfigError` as `open_ledger` does."""
    scheme, found, rest = url.partition("://")
    if scheme in ("postgresql", "postgres"):
        raise ConfigError(
            "The PostgreSQL store is not in this build.", key=_KEY, hint="Use sqlite:///.headgate/state.db."
        )
    if scheme != "sqlite" or not found:
        # The URL itself is not repeated: it may carry a password.
        raise ConfigError(
            "The store's URL has to begin with sqlite:// in this build.",
            key=_KEY,
            hint="Use sqlite:///.headgate/state.db.",
        )
    if rest in ("", "/:memory:"):
        return None
    if not rest.startswith("/") or rest.endswith("/") or "?" in rest:
        raise ConfigError(
            f"{url!r} does not name a database file.",
            key=_KEY,
            hint="Write sqlite:///relative.db or sqlite:////absolute.db, without a query.",
        )
    return root / rest[1:]
