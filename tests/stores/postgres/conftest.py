"""One server for all tests of this package, with the schema that the migrations make."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import asyncpg
import pytest
from alembic import command
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import create_async_engine

from headgate.stores.sql.ledger import SqlLedger
from headgate.stores.sql.tables import metadata
from headgate.stores.sql.upgrade import settings
from tests.stores.postgres.database import open_postgres
from tests.stores.postgres.server import Missing, serve

Opener = Callable[[], AbstractAsyncContextManager[SqlLedger]]


@pytest.fixture(scope="session")
def server() -> Iterator[Path]:
    """The directory of the server's socket; the database has the newest schema."""
    try:
        with serve() as socket:
            asyncio.run(migrated(socket, upgrade))
            yield socket
    except Missing as error:
        pytest.skip(f"no PostgreSQL: {error}")


async def migrated(socket: Path, work: Callable[[Connection], object]) -> object:
    """Does the work in one transaction of SQLAlchemy's."""
    engine = create_async_engine("postgresql+asyncpg://postgres@/postgres", connect_args={"host": str(socket)})
    try:
        async with engine.begin() as connection:
            return await connection.run_sync(work)
    finally:
        await engine.dispose()


def upgrade(connection: Connection) -> None:
    """Runs the migrations as they are."""
    command.upgrade(settings(connection), "head")


@pytest.fixture
async def opener(server: Path) -> Opener:
    """Opens the ledger, which is empty when the test begins."""
    connection = await asyncpg.connect(host=str(server), user="postgres", database="postgres")
    await connection.execute(f"TRUNCATE {', '.join(metadata.tables)}")
    await connection.execute("INSERT INTO audit_anchor (id, n, hash) VALUES (1, 0, '')")  # as the migration left it
    await connection.close()

    @asynccontextmanager
    async def opened() -> AsyncIterator[SqlLedger]:
        async with open_postgres(server) as database:
            yield SqlLedger(database)

    return opened
