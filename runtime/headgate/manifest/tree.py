"""The files of a manifest tree, read at once, and the revision that they are."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from headgate.manifest.diagnostics import Diagnostic
from headgate.manifest.names import FOLDERS, Role, misnamed, role

__all__ = ["MAX_FILES", "MAX_FILE_BYTES", "Role", "Tree", "role", "scan"]

MAX_FILES = 20_000
MAX_FILE_BYTES = 16 << 20
"""The largest file that a tree may hold: skills bring assets along; manifests themselves have a lower limit."""

MAX_DEPTH = 32
"""How many folders may lie within one another."""

ROOT_FILE = "gateway.toml"
_LAYERS = "gateway.d"


@dataclass(frozen=True, slots=True)
class Tree:
    """What was on disk: `files` by posix path from the root, sorted by it.

    `revision` is the SHA-256, in hexadecimal, over the sorted paths and bytes. `directories` are those that were
    looked into, the root first, empty ones too: a change in any of them may change the tree.
    """

    root: Path
    files: dict[str, bytes]
    revision: str
    diagnostics: tuple[Diagnostic, ...] = ()
    directories: tuple[Path, ...] = ()


def scan(root: Path, extra: Iterable[str] = ()) -> Tree:
    """Reads the tree; `extra` are paths from the root that manifests name besides. Nothing is raised.

    An extra file that is missing, or that would be outside the tree, is simply not among the files.
    """
    reader = _Reader(root)
    if not root.is_dir():
        reader.report(".", "the tree does not exist", "name a directory that holds a gateway.toml")
    else:
        reader.read_all(extra)
    files = dict(sorted(reader.files.items()))
    found = [*reader.diagnostics, *(each for path in files if (each := misnamed(path)) is not None)]
    return Tree(root, files, revision_of(files), tuple(sorted(found)), tuple(reader.directories))


def revision_of(files: dict[str, bytes]) -> str:
    """The revision of a set of files, which are sorted by path."""
    sha = hashlib.sha256()
    for path, data in files.items():
        name = path.encode()
        # Both lengths go first, so that no two different trees are the same bytes.
        sha.update(b"%d %d\n%s" % (len(name), len(data), name))
        sha.update(data)
    return sha.hexdigest()


class _Reader:
    """One look at a tree."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.real = os.path.realpath(root)
        self.files: dict[str, bytes] = {}
        self.diagnostics: list[Diagnostic] = []
        self.directories: list[Path] = []
        self.full = False
        self._sound: dict[str, bool] = {}

    def report(self, path: str, message: str, hint: str = "") -> None:
        """Adds an HG1002 about a file as a whole."""
        shown = path.encode("utf-8", "replace").decode()
        self.diagnostics.append(Diagnostic(shown, 1, 1, "error", "HG1002", message, hint))

    def read_all(self, extra: Iterable[str]) -> None:
        """Reads the root's own files, the folders of the tree, and what is named besides."""
        self.directories.append(self.root)
        for path in (ROOT_FILE, *self._layers(), *self._below()):
            self._read(path)
        for path in extra:
            self._read_extra(PurePosixPath(path))
        if ROOT_FILE not in self.files and not any(each.path == ROOT_FILE for each in self.diagnostics):
            self.report(ROOT_FILE, "the tree has no gateway.toml", "create one; `version = 1` and a `name` begin it")

    def _read_extra(self, pure: PurePosixPath) -> None:
        if pure.is_absolute() or ".." in pure.parts:
            return
        parent = self.root / pure.parent
        if parent not in self.directories and _exists(parent):
            self.directories.append(parent)
        if _exists(self.root / pure):
            self._read(str(pure))

    def _layers(self) -> Iterator[str]:
        if (self.root / _LAYERS).is_dir() and self._inside(_LAYERS, self.root / _LAYERS):
            for entry in self._entries(_LAYERS):
                if entry.name.endswith(".toml"):
                    yield f"{_LAYERS}/{entry.name}"

    def _below(self) -> Iterator[str]:
        for folder in FOLDERS:
            if (self.root / folder).is_dir() and self._inside(folder, self.root / folder):
                yield from self._walk(folder, (os.path.realpath(self.root / folder),))

    def _walk(self, folder: str, above: tuple[str, ...]) -> Iterator[str]:
        """The files below a folder; `above` are the real paths of the folder and those around it."""
        if len(above) > MAX_DEPTH:
            self.report(folder, f"folders are nested more than {MAX_DEPTH} deep", "keep data out of the tree")
            return
        for entry in self._entries(folder):
            path = f"{folder}/{entry.name}"
            if entry.is_symlink() and not self._inside(path, self.root / path):
                continue
            if not _is_folder(entry):
                yield path
            elif (real := os.path.realpath(entry.path)) in above:
                self.report(path, "the link leads back to a folder around it", "remove the link")
            else:
                yield from self._walk(path, (*above, real))

    def _entries(self, folder: str) -> list[os.DirEntry[str]]:
        if len(self.directories) >= MAX_FILES:  # links between folders can multiply without a file in them
            return self._too_many(folder)
        self.directories.append(self.root / folder)
        try:
            with os.scandir(self.root / folder) as entries:
                return sorted((each for each in entries if not _dropped(each.name)), key=lambda each: each.name)
        except OSError as error:
            self.report(folder, f"the folder cannot be read: {error.strerror}", "check its permissions")
            return []

    def _too_many(self, path: str) -> list[os.DirEntry[str]]:
        if not self.full:
            self.full = True
            self.report(path, f"the tree holds more than {MAX_FILES} files", "keep data out of the tree")
        return []

    def _inside(self, path: str, full: Path) -> bool:
        """Whether the path, its links followed, is inside the tree; if not, that is reported."""
        folder = path.rpartition("/")[0]
        if folder not in self._sound:
            self._sound[folder] = self._leads_inside(full.parent)
        if (self._sound[folder] and not full.is_symlink()) or self._leads_inside(full):
            return True
        self.report(path, "the link leaves the tree", "copy the file into the tree")
        return False

    def _leads_inside(self, full: Path) -> bool:
        real = os.path.realpath(full)
        return real == self.real or real.startswith(self.real.rstrip(os.sep) + os.sep)

    def _read(self, path: str) -> None:
        if self.full or path in self.files:
            return
        full = self.root / path  # made once: making it takes as long as reading the file
        if not self._readable(path, full):
            return
        if len(self.files) >= MAX_FILES:
            self._too_many(path)
            return
        try:
            data = self._bytes(path, full)
        except OSError as error:
            self.report(path, f"the file cannot be read: {error.strerror}", "check its permissions")
            return
        if data is not None:
            self.files[path] = data

    def _readable(self, path: str, target: Path) -> bool:
        if path == ROOT_FILE and not target.exists() and not target.is_symlink():
            return False  # reported in the end, with its own hint
        try:
            path.encode("utf-8")
        except UnicodeEncodeError:
            self.report(path, "the file name is not UTF-8", "rename it")
            return False
        return self._inside(path, target)

    def _bytes(self, path: str, target: Path) -> bytes | None:
        """The bytes of a regular file of fair size; opening a pipe or a device could hold the reader for ever."""
        status = target.stat()
        if not stat.S_ISREG(status.st_mode):
            self.report(path, "this is not a regular file", "remove it from the tree")
        elif status.st_size > MAX_FILE_BYTES:
            self.report(path, f"the file is larger than {MAX_FILE_BYTES} bytes", "keep data out of the tree")
        else:
            return target.read_bytes()
        return None


def _dropped(name: str) -> bool:
    """Whether a name is hidden or what editors and interpreters leave behind."""
    return name.startswith((".", "#")) or name.endswith(("~", ".swp")) or name == "__pycache__"


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # a name that is too long, for one
        return False


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads to itself; reading it says so
        return False
