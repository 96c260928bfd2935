"""What a file of the tree is, by its path alone."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import PurePosixPath
from typing import Literal

from headgate.core.scalars import NAME, NAME_HINT
from headgate.manifest.diagnostics import Diagnostic

Role = Literal["gateway", "agent", "tool", "skill", "field", "fragment", "catalog", "layer", "extra"]

FOLDERS: dict[str, Role] = {
    "agents": "agent",
    "tools": "tool",
    "skills": "skill",
    "fields": "field",
    "fragments": "fragment",
    "catalog": "catalog",
}
"""The folders of a tree and what the files in them are."""

_YAML = (".yaml", ".yml")
_SUFFIXES: dict[Role, tuple[str, ...]] = {
    "agent": (".md",),
    "tool": _YAML,
    "skill": (".md",),
    "field": _YAML,
    "fragment": (".md",),
    "catalog": _YAML,
}
_NESTED: dict[Role, str] = {"agent": "AGENT.md", "skill": "SKILL.md"}
"""The file that stands for a whole folder, where a folder may be one object."""


@lru_cache(maxsize=16_384)
def role(path: str) -> tuple[Role, str | None]:
    """What the file at a posix path from the root is, and the name of the object that it defines.

    The name is None for a file that defines no named object, and for one whose name is not allowed.
    """
    pure = PurePosixPath(path)
    kind, name = _claimed(pure)
    return kind, name if name is not None and (kind == "layer" or re.fullmatch(NAME, name)) else None


@lru_cache(maxsize=16_384)
def misnamed(path: str) -> Diagnostic | None:
    """What is wrong with a file's name, if anything is."""
    pure = PurePosixPath(path)
    kind, name = _claimed(pure)
    if kind in _SUFFIXES and role(path)[1] is None:
        message = f"'{name}' cannot be the name of {_article(kind)}"
        return Diagnostic(path, 1, 1, "error", "HG1002", message, NAME_HINT)
    folder = FOLDERS.get(pure.parts[0])
    if kind != "extra" or folder is None or _is_note(pure):
        return None
    hint = _unread(pure, folder)
    message = f"the file is not read as {_article(folder)}"
    return Diagnostic(path, 1, 1, "warning", "HG1002", message, hint) if hint else None


def _unread(pure: PurePosixPath, folder: Role) -> str:
    """How to mend a path that looks like one of the folder's objects; empty when it does not."""
    top, *_, file = pure.parts
    if len(pure.parts) == 2:
        return f"{top}/ holds {' and '.join(_SUFFIXES[folder])} files"
    main = _NESTED.get(folder)
    if main is None:
        return f"move it into {top}/ itself" if pure.suffix in _SUFFIXES[folder] else ""
    return f"call it {main}" if len(pure.parts) == 3 and file != main and file.lower() == main.lower() else ""


def _claimed(pure: PurePosixPath) -> tuple[Role, str | None]:
    """The role and the name that the path claims, allowed or not."""
    match pure.parts:
        case ("gateway.toml",):
            return "gateway", None
        case ("gateway.d", _) if pure.suffix == ".toml":
            return "layer", pure.stem
        case (folder, _) if folder in FOLDERS and pure.suffix in _SUFFIXES[FOLDERS[folder]] and not _is_note(pure):
            return FOLDERS[folder], pure.stem
        case (folder, name, file) if folder in FOLDERS and _NESTED.get(FOLDERS[folder]) == file:
            return FOLDERS[folder], name
        case _:
            return "extra", None


def _is_note(pure: PurePosixPath) -> bool:
    """Whether the file explains the folder to people instead of defining an object."""
    return pure.name.lower() == "readme.md"


def _article(kind: Role) -> str:
    return f"an {kind}" if kind == "agent" else f"a {kind}"
