"""The cache of secrets: kept for a while, loaded once at a time, failures not kept."""

from __future__ import annotations

import asyncio

import pytest

from headgate.secrets.cache import CachedBackend
from headgate.secrets.content import Content
from headgate.secrets.failures import SecretUnavailable


class Store:
    """Answers a new value at each load; fails while `broken`; waits while `gate` is closed."""

    def __init__(self) -> None:
        self.loads = 0
        self.now = 0.0
        self.broken = False
        self.gate = asyncio.Event()
        self.gate.set()
        self.began = asyncio.Event()

    async def load(self, path: str) -> Content:
        """The next value."""
        self.loads += 1
        self.began.set()
        await self.gate.wait()
        if self.broken:
            raise SecretUnavailable("down")
        return Content({"a": f"a{self.loads}", "b": f"b{self.loads}"})

    def backend(self, ttl: float) -> CachedBackend:
        """A cache over it, on its clock."""
        return CachedBackend(self.load, ttl, lambda: self.now)


async def test_a_path_is_loaded_once_for_all_its_keys_until_its_time_is_up() -> None:
    """Within the time, keys come from one load; after it, the new value comes with a new version."""
    store = Store()
    backend = store.backend(10)
    first = await backend.read("x", "a")
    store.now = 9.9
    assert [first.value, (await backend.read("x", "b")).value, store.loads] == ["a1", "b1", 1]
    store.now = 10.0
    second = await backend.read("x", "a")
    assert (second.value, store.loads) == ("a2", 2)
    assert second.version != first.version


async def test_readers_at_the_same_time_share_one_load() -> None:
    """Whoever asks while a load is under way gets what it brings."""
    store = Store()
    store.gate.clear()
    backend = store.backend(0)
    reads = [asyncio.create_task(backend.read("x", key)) for key in "abab"]
    await store.began.wait()
    store.gate.set()
    assert [each.value for each in await asyncio.gather(*reads)] == ["a1", "b1", "a1", "b1"]
    assert store.loads == 1


async def test_a_failure_is_not_kept() -> None:
    """The next read asks again."""
    store = Store()
    store.broken = True
    backend = store.backend(10)
    with pytest.raises(SecretUnavailable):
        await backend.read("x", "a")
    store.broken = False
    assert (await backend.read("x", "a")).value == "a2"


async def test_a_cancelled_reader_does_not_hinder_the_next() -> None:
    """The load of one who has gone is made again by who waits."""
    store = Store()
    store.gate.clear()
    backend = store.backend(10)
    first, second = (asyncio.create_task(backend.read("x", "a")) for _ in range(2))
    await store.began.wait()
    first.cancel()
    store.gate.set()
    assert (await second).value == "a2"
