"""The last revision that was live, kept on disk by its digest: what `[boot] on_invalid = "last_good"` starts from."""

from __future__ import annotations

import asyncio
import os
import tarfile
from collections.abc import Iterator
from pathlib import Path

import structlog

from headgate.manifest.tree import Tree, revision_of

log = structlog.get_logger("headgate.reload")

_NAME = "last-good.tar"


async def keep(state: Path, tree: Tree) -> None:
    """Writes the tree's files as they were compiled; one that cannot be written is logged."""
    try:
        await asyncio.to_thread(write, state, tree)
    except OSError as error:
        log.warning("bundle.not_kept", reason=error.strerror)


def write(state: Path, tree: Tree) -> None:
    """Writes the tree's files, atomic, readable by the owner only; raises `OSError`."""
    folder = state / "bundles"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = folder / f"{_NAME}.{os.getpid()}"
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as raw:
        raw.writelines(_archived(tree))
    fresh.replace(folder / _NAME)


def _archived(tree: Tree) -> Iterator[bytes]:
    """The blocks of an archive (POSIX.1-1988 ustar with GNU's long names): `TarFile.addfile` takes twice as long."""
    for path, data in tree.files.items():
        member = tarfile.TarInfo(path)
        member.size = len(data)
        yield member.tobuf(tarfile.GNU_FORMAT)
        yield data
        yield bytes(-len(data) % tarfile.BLOCKSIZE)
    yield bytes(2 * tarfile.BLOCKSIZE)


def recall(state: Path, root: Path) -> Tree | None:
    """The tree that was kept last, or None when there is none that can be read."""
    path = state / "bundles" / _NAME
    try:
        with tarfile.open(path) as archive:
            files = {member.name: _read(archive, member) for member in archive.getmembers()}
    except (OSError, tarfile.TarError):
        return None
    return Tree(root=root, files=files, revision=revision_of(files), diagnostics=())


def _read(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    handle = archive.extractfile(member)
    return handle.read() if handle else b""
