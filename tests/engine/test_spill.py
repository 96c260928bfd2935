"""Large results are kept for one run, within bounds, where nobody else can read them."""

from __future__ import annotations

import asyncio
import os
import stat
from pathlib import Path

import pytest

from headgate.engine.spill import Spill


async def test_results_are_kept_whole(tmp_path: Path) -> None:
    """Results that are kept side by side in one file come back as they were, whole or in pieces."""
    with Spill(tmp_path, 1 << 20) as spill:
        large = [bytes([65 + n]) * 10_000 for n in range(8)]
        assert all(await asyncio.gather(*(spill.keep(str(n), data) for n, data in enumerate(large))))
        assert [spill.read(spill.kept[str(n)], 0, 1 << 20) for n in range(8)] == large
        assert spill.read(spill.kept["3"], 9_998, 10) == b"DD"
        assert spill.read(spill.kept["3"], 10_001, 10) == b""


async def test_the_bound_holds(tmp_path: Path) -> None:
    """What does not fit is not kept, not even its beginning; what still fits is."""
    with Spill(tmp_path, 100) as spill:
        assert await spill.keep("a", b"x" * 60)
        assert not await spill.keep("b", b"x" * 41)
        assert await spill.keep("c", b"x" * 40)
        assert sorted(spill.kept) == ["a", "c"]


async def test_nobody_else_reads_it(tmp_path: Path) -> None:
    """The file has no name in the folder and belongs to its owner only; nothing is made before it is needed."""
    with Spill(tmp_path, 100) as spill:
        before = _open_files()
        await spill.keep("a", b"x")
        (made,) = _open_files() - before
        assert stat.S_IMODE(os.fstat(made).st_mode) == 0o600
        assert not any(tmp_path.iterdir())  # noqa: ASYNC240
    assert made not in _open_files()


async def test_the_end(tmp_path: Path) -> None:
    """After the run nothing is read, and nothing is written by a call that comes too late."""
    with Spill(tmp_path, 100) as spill:
        await spill.keep("a", b"x")
    with pytest.raises(ValueError, match="ended"):
        spill.read(spill.kept["a"], 0, 1)
    assert not await spill.keep("b", b"x")


async def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    """A result that cannot be kept is not kept, and the run goes on."""
    with Spill(tmp_path / "missing", 100) as spill:
        assert not await spill.keep("a", b"x")
        assert spill.kept == {}


def _open_files() -> set[int]:
    return {int(each.name) for each in Path("/dev/fd").iterdir() if each.exists()}
