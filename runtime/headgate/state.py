"""The state directory: generated secrets, and the locks that keep a second process away from the same state."""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

from headgate.core.errors import ConfigError


def prepare(state: Path) -> Path:
    """The directory, made for the owner only; raises `ConfigError` when it cannot be had."""
    try:
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(
            f"the state directory {state} cannot be made: {error.strerror}",
            hint="set HEADGATE_STATE_DIR to another one",
        ) from None
    return state


def session_secret(state: Path) -> str:
    """The secret that signs session tokens: generated once, kept, readable by the owner only."""
    return _kept(state / "session_secret")[0]


def encryption_keys(state: Path, *, make: bool = True) -> list[str]:
    """The keys that encrypt what is kept of the API's secrets, the newest first: readable by the owner only. Without
    any, one is made unless that is not wanted."""
    path = state / "encryption_key"
    return _kept(path) if make or path.exists() else []


def new_secret() -> str:
    """A fresh secret of 256 bits."""
    return secrets.token_hex(32)


def _kept(path: Path) -> list[str]:
    """The lines of a file of secrets, made with one when it is missing."""
    with contextlib.suppress(FileExistsError):
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(new_secret())
    held = path.read_text(encoding="ascii").strip().splitlines()
    if not held or any(len(each) < 32 for each in held):
        raise ConfigError(f"{path} does not hold a secret of at least 32 characters; remove it to have one made")
    return held


@contextlib.contextmanager
def sole_owner(held: Path, lock: Path) -> Iterator[None]:
    """Owns `held`, a state directory or a database, through the file `lock`; raises `ConfigError` while another
    process does.

    A second process would take the runs of the first for those of a dead one, and fail them.
    """
    with lock.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise ConfigError(
                f"another gateway runs on {held}",
                hint="talk to it with --url http://HOST:PORT, or stop it and try again",
            ) from None
        yield


def own_ledger(database: Path) -> contextlib.AbstractContextManager[None]:
    """Owns a database file, whatever state directory its gateway has; raises `ConfigError` while another process
    does."""
    return sole_owner(database, database.with_name(f"{database.name}.lock"))
