"""Secrets in files below one directory, as Docker and Kubernetes mount them."""

from __future__ import annotations

import asyncio
import contextlib
import os
import stat
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Literal

from headgate.core.kind import Env, Finding, Kind, Scope, Spec
from headgate.core.scalars import Duration
from headgate.secrets.cache import CachedBackend
from headgate.secrets.content import MAX_BYTES, Content, decode_text
from headgate.secrets.failures import SecretDenied, SecretNotFound, SecretUnavailable


class FileSpec(Spec):
    """Files: the path is the file's path below the root, the key a member of the JSON object in it."""

    kind: Literal["file"]
    root: str
    """The directory, by its absolute path, such as /run/secrets. Nothing outside it is read, by links either."""
    ttl: Duration = 30.0
    """How long a file that was read counts as unchanged."""


class FileSource:
    """Reads files below `root`."""

    def __init__(self, root: Path) -> None:
        self.root = root

    async def load(self, path: str) -> Content:
        """The text of the file; raises `SecretError`."""
        return await asyncio.to_thread(self._read, path)

    def _read(self, path: str) -> Content:
        try:
            real = (self.root / path).resolve()
            if not real.is_relative_to(self.root.resolve()):
                raise SecretDenied(f"the file {path} is outside {self.root}")
            return Content(decode_text(_content(real, path), path))
        except FileNotFoundError:
            raise SecretNotFound(f"there is no file {path} in {self.root}") from None
        except PermissionError:
            raise SecretDenied(f"the file {path} in {self.root} may not be read") from None
        except (OSError, ValueError, RuntimeError) as error:
            said = error.strerror if isinstance(error, OSError) and error.strerror else "its path cannot be followed"
            raise SecretUnavailable(f"the file {path} in {self.root} cannot be read: {said}") from None


def _content(real: Path, path: str) -> bytes:
    # Without O_NONBLOCK a pipe would hold the reader until somebody writes.
    descriptor = os.open(real, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW)
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise SecretNotFound(f"{path} is not a regular file")
        return file.read(MAX_BYTES + 1)


def _check(spec: FileSpec, _scope: Scope) -> Iterable[Finding]:
    if not Path(spec.root).is_absolute() or "\0" in spec.root:
        yield Finding(("root",), "HG1004", f"{spec.root!r} is not an absolute path", "write one such as /run/secrets")


@contextlib.asynccontextmanager
async def _open(spec: FileSpec, _env: Env) -> AsyncIterator[CachedBackend]:
    yield CachedBackend(FileSource(Path(spec.root)).load, spec.ttl)


KIND = Kind("file", "Secrets in files below a directory, plain or JSON.", FileSpec, _open, check=_check)
