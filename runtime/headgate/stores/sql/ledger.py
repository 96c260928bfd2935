"""The ledger on any SQL database: records in, transactions out."""

from __future__ import annotations

from pathlib import Path

from headgate.stores.sql.credentials import SqlCredentials
from headgate.stores.sql.documents import SqlDocuments
from headgate.stores.sql.runs import SqlRuns
from headgate.stores.sql.sessions import SqlSessions
from headgate.stores.sql.sweeps import SqlSweeps
from headgate.stores.sql.waits import SqlWaits
from headgate.stores.sql.work import SqlWork

_PING = "SELECT version_num FROM alembic_version"


class SqlLedger(SqlSessions, SqlRuns, SqlWork, SqlWaits, SqlDocuments, SqlCredentials, SqlSweeps):
    """Fulfils `Ledger`: what a method writes is one call of `Database.write` or `change`, so one transaction."""

    async def size(self) -> int:
        """See `Ledger.size`."""
        return await self._database.size()

    async def backup(self, path: Path, /) -> None:
        """See `Ledger.backup`."""
        await self._database.backup(path)

    async def ping(self) -> None:
        """See `Ledger.ping`."""
        await self._database.read(_PING)

    async def close(self) -> None:
        """See `Ledger.close`."""
        await self._database.close()
