"""Copies of a SQLite database that is in use."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from headgate.core.errors import StoreError
from headgate.stores.sql.faults import as_store_error


def length(path: Path) -> int:
    """Bytes of the database and of what is written ahead of it."""
    found = 0
    for file in (path, path.with_name(f"{path.name}-wal")):
        with suppress(FileNotFoundError):
            found += file.stat().st_size
    return found


@contextmanager
def new_file(path: Path) -> Iterator[None]:
    """Makes an empty file, private to the user, and removes it when what follows fails; raises `StoreError`."""
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError as error:
        raise StoreError(f"{path} exists already.", code="store_conflict") from error
    except OSError as error:
        raise StoreError(f"{path} cannot be written: {error.strerror}.", code="store_readonly") from error
    try:
        yield
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def copy(source: Path, target: Path) -> None:
    """Copies the database through a connection of its own, which sees one moment of it; raises `StoreError`.

    All pages are copied in one step: one that was interrupted would begin again after every commit. Writers go on
    meanwhile, since a reader does not hold them up (sqlite.org/wal.html).
    """
    try:
        with closing(sqlite3.connect(source)) as old, closing(sqlite3.connect(target)) as new:
            old.backup(new)
    except sqlite3.Error as error:
        raise as_store_error(error) from error
