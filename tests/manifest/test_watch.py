"""Watching real files: every way to save one is noticed, and nothing ends the watch."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from headgate.manifest.tree import Tree, scan
from headgate.manifest.watch import changes, settle

NEVER = 3600.0
"""A poll that does not come within a test."""

LIMIT = 30.0
"""Seconds after which a poke that is missing fails its test."""


class Watched:
    """A running watch on a tree."""

    def __init__(self, root: Path, poll: float, directories: Callable[[], Iterable[Path]] | None = None) -> None:
        self.stop = asyncio.Event()
        self.root = root
        self.pokes = 0
        self.poke = asyncio.Event()
        self.directories = directories or (lambda: scan(root).directories)
        self.poll = poll

    async def run(self) -> None:
        """Counts pokes until the watch ends."""
        async for _ in changes(self.root, self.directories, self.poll, self.stop):
            self.pokes += 1
            self.poke.set()

    async def poked(self) -> None:
        """Returns at the next poke."""
        self.poke.clear()
        await asyncio.wait_for(self.poke.wait(), LIMIT)


@asynccontextmanager
async def watching(watched: Watched) -> AsyncIterator[Watched]:
    """The watch, armed: its first poke has come."""
    task = asyncio.create_task(watched.run())
    await watched.poked()
    yield watched
    watched.stop.set()
    await asyncio.wait_for(task, LIMIT)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A small tree with a neighbour."""
    root = tmp_path / "tree"
    (root / "tools").mkdir(parents=True)
    (root / "gateway.toml").write_text("one")
    (root / "tools" / "x.yaml").write_text("one")
    return root


def write(root: Path) -> None:
    """Saves in place."""
    (root / "tools" / "x.yaml").write_text("two")


def rename(root: Path) -> None:
    """Saves as editors do: a new file takes the old one's place."""
    (root / ".gateway.toml.new").write_text("two")
    (root / ".gateway.toml.new").replace(root / "gateway.toml")


def add(root: Path) -> None:
    """Adds a file."""
    (root / "tools" / "y.yaml").write_text("two")


def remove(root: Path) -> None:
    """Removes a file."""
    (root / "tools" / "x.yaml").unlink()


def vanish(root: Path) -> None:
    """Removes a watched folder."""
    shutil.rmtree(root / "tools")


def replace(root: Path) -> None:
    """Replaces the whole tree."""
    root.rename(root.with_name("old"))
    shutil.copytree(root.with_name("old"), root)


async def save(watched: Watched, path: Path) -> None:
    """Writes a file and waits for a poke behind it."""
    poke = asyncio.create_task(watched.poked())
    await asyncio.sleep(0)
    await asyncio.to_thread(path.write_text, "x")
    await poke


@pytest.mark.parametrize("edit", [write, rename, add, remove, vanish, replace])
async def test_every_kind_of_edit_is_a_poke(edit: Callable[[Path], None], root: Path) -> None:
    """Writes, renames, new and removed files and folders, and another tree in the same place."""
    async with watching(Watched(root, NEVER)) as watched:
        edit(root)
        await watched.poked()


@pytest.mark.parametrize("edit", [vanish, replace])
async def test_the_watch_goes_on_behind_an_edit(edit: Callable[[Path], None], root: Path) -> None:
    """Folders that went and came back are watched again: one edit after the other is noticed."""
    async with watching(Watched(root, NEVER)) as watched:
        edit(root)
        await watched.poked()
        (root / "tools").mkdir(exist_ok=True)
        for number in range(4):
            await save(watched, root / "tools" / f"z{number}.yaml")


async def test_a_new_folder_is_watched(root: Path) -> None:
    """A folder that appears is asked for and watched, also while it is empty."""
    async with watching(Watched(root, NEVER)) as watched:
        (root / "agents").mkdir()
        await watched.poked()
        for number in range(4):
            await save(watched, root / "agents" / f"a{number}.md")


async def test_a_swapped_config_map_is_a_poke(tmp_path: Path) -> None:
    """Kubernetes replaces the link `..data`; the files that point through it make no event."""
    root = tmp_path / "mount"
    for version in ("..one", "..two"):
        (root / version).mkdir(parents=True)
        (root / version / "gateway.toml").write_text(version)
    (root / "..data").symlink_to("..one")
    (root / "gateway.toml").symlink_to("..data/gateway.toml")
    before = scan(root).revision
    async with watching(Watched(root, NEVER)) as watched:
        (root / "..tmp").symlink_to("..two")
        (root / "..tmp").replace(root / "..data")
        await watched.poked()
    assert scan(root).revision != before


@pytest.mark.parametrize("below", ["", "deploy"])
async def test_a_swapped_link_to_the_tree_is_a_poke(below: str, tmp_path: Path) -> None:
    """git-sync replaces a link that is the tree, or on the way to it."""
    for version in ("one", "two"):
        (tmp_path / version / below).mkdir(parents=True)
        (tmp_path / version / below / "gateway.toml").write_text(version)
    (tmp_path / "current").symlink_to("one")
    async with watching(Watched(tmp_path / "current" / below, NEVER)) as watched:
        (tmp_path / "next").symlink_to("two")
        (tmp_path / "next").replace(tmp_path / "current")
        await watched.poked()


async def test_a_file_elsewhere_is_watched_by_its_directory(root: Path, tmp_path: Path) -> None:
    """Directories of referenced files may be anywhere, and need not exist."""
    (tmp_path / "secrets").mkdir()
    directories = [tmp_path / "secrets", tmp_path / "none"]
    async with watching(Watched(root, NEVER, lambda: directories)) as watched:
        (tmp_path / "secrets" / "token").write_text("x")
        await watched.poked()


async def test_a_poll_comes_without_events(root: Path) -> None:
    """Where file systems send no events, the poll is the poke."""
    async with watching(Watched(root, 0.05)) as watched:
        await watched.poked()
        await watched.poked()


async def test_a_poll_comes_in_spite_of_a_noisy_neighbour(root: Path) -> None:
    """Events of other files in the parent directory are no pokes, and do not hold the poll back."""
    async with watching(Watched(root, 0.3)) as watched:
        async with asyncio.timeout(LIMIT):
            while watched.pokes < 4:
                (root.parent / "noise").write_text(str(watched.pokes))
                await asyncio.sleep(0.02)


async def test_neighbours_of_the_tree_are_no_pokes(root: Path) -> None:
    """The parent is watched for the tree's own name only."""
    async with watching(Watched(root, NEVER)) as watched:
        before = watched.pokes
        (root.parent / "neighbour").write_text("x")
        await asyncio.sleep(1.0)
        assert watched.pokes == before


async def test_a_missing_tree_is_waited_for(tmp_path: Path) -> None:
    """The watch begins before the tree is there, also before its parent is."""
    root = tmp_path / "later" / "tree"
    async with watching(Watched(root, 0.2)) as watched:
        root.mkdir(parents=True)
        await watched.poked()


async def test_stop_ends_the_watch(root: Path) -> None:
    """After the event is set the iteration ends, and is not begun at all when it was set before."""
    stop = asyncio.Event()
    stop.set()
    assert [None async for _ in changes(root, list, NEVER, stop)] == []


async def test_cancelling_a_watch_does_not_set_the_callers_event(root: Path) -> None:
    """The caller's event is the caller's."""
    watched = Watched(root, NEVER)
    task = asyncio.create_task(watched.run())
    await watched.poked()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not watched.stop.is_set()


async def test_settle_returns_a_tree_that_was_read_twice(root: Path) -> None:
    """Reading goes on until two revisions in a row are equal."""
    trees = [Tree(root, {}, revision) for revision in ("a", "b", "c", "c", "d")]
    read = iter(trees)
    assert await settle(lambda: next(read), 0.0) is trees[3]
    assert next(read).revision == "d"


async def test_settle_waits_for_a_copy_to_end(root: Path) -> None:
    """A tree that is being written is not taken half."""

    def read() -> Tree:
        tree = scan(root)
        count = len(tree.files)
        if count < 6:
            (root / "tools" / f"n{count}.yaml").write_text("x")
        return tree

    settled = await settle(read, 0.0)
    assert len(settled.files) == 6
    assert settled.revision == scan(root).revision
