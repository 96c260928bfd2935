"""Brings a SQLite database to the newest schema with Alembic.

Nothing imports this module by name but a database that is behind: it loads SQLAlchemy and Alembic.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import Connection, create_engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import StaticPool

from headgate.core.errors import StoreError
from headgate.stores.sql.faults import as_store_error


def upgrade(db: sqlite3.Connection) -> None:
    """Runs every migration that is missing, all in one transaction; raises `StoreError`."""
    try:
        _migrate(db)
    except CommandError as error:
        raise StoreError(f"The database's schema cannot be brought up to date: {error}") from error
    except DBAPIError as error:
        raise as_store_error(error.orig if isinstance(error.orig, sqlite3.Error) else error) from error


def _migrate(db: sqlite3.Connection) -> None:
    engine = create_engine("sqlite://", creator=lambda: db, poolclass=StaticPool)
    with engine.connect() as connection:
        # Taken before Alembic looks at the version: of two processes that start at once, the second finds it done.
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        command.upgrade(settings(connection), "head")
        connection.commit()


def settings(connection: Connection) -> Config:
    """Alembic's configuration for the packaged migrations, run on `connection`."""
    config = Config()
    # `%` is the interpolation character of Alembic's configuration.
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.attributes["connection"] = connection
    return config
