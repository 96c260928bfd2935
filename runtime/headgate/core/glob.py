"""Globs within a name: `*` stands for any characters, everything else for itself."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

ALL = ("*",)
"""The patterns of who may have everything."""


def is_glob(pattern: str) -> bool:
    """Whether the pattern has a `*`."""
    return "*" in pattern


def covers(pattern: str, name: str) -> bool:
    """Whether the pattern, a glob or a name, covers the name."""
    return _compiled(pattern).fullmatch(name) is not None if is_glob(pattern) else pattern == name


def matching(patterns: Iterable[str], names: Iterable[str]) -> list[str]:
    """The names that any pattern covers, in the order of the names."""
    known, wanted = tuple(names), frozenset(patterns)
    places = _places(known)
    found = {pattern for pattern in wanted if pattern in places}
    for pattern in wanted:
        if is_glob(pattern):
            found |= _matched(pattern, known)
    return sorted(found, key=places.__getitem__)


@lru_cache(maxsize=64)
def _places(names: tuple[str, ...]) -> dict[str, int]:
    """Where each name stands."""
    return {name: place for place, name in enumerate(names)}


@lru_cache(maxsize=1024)
def _matched(glob: str, names: tuple[str, ...]) -> frozenset[str]:
    """Remembered, because every agent of a large tree asks the same of the same names."""
    return frozenset(filter(_compiled(glob).fullmatch, names))


@lru_cache(maxsize=4096)
def _compiled(glob: str) -> re.Pattern[str]:
    return re.compile(".*".join(map(re.escape, glob.split("*"))), re.DOTALL)
