"""Time that does not count while somebody is asked."""

from __future__ import annotations

import asyncio

from headgate.engine.stillness import Stillness
from tests.virtual import in_virtual_time


async def _late(stillness: Stillness, seconds: float, *, limit: float, server: str | None) -> bool:
    """Whether work of so many seconds has come to the end of its time limit."""
    clock = asyncio.timeout(limit)
    try:
        async with clock:
            with stillness.counted(clock, server):
                await asyncio.sleep(seconds)
    except TimeoutError:
        return True
    return False


@in_virtual_time
async def test_who_stands_still() -> None:
    """The calls of the server and the run, for as long as anybody is asked; calls of other servers go on."""
    skipped: list[float] = []
    stillness = Stillness(skipped.append)
    tasks = [
        asyncio.create_task(_late(stillness, 12, limit=limit, server=server))
        for limit, server in ((3, "a"), (1.5, "a"), (3, "b"), (3, None), (1.5, None), (20, "b"))
    ]
    await asyncio.sleep(1)
    with stillness.still("a"):
        await asyncio.sleep(4)
        with stillness.still("a"):
            await asyncio.sleep(6)
    assert skipped == [10]
    assert [task.done() for task in tasks] == [False, False, True, False, False, False]
    await asyncio.sleep(0.6)  # 1.6 seconds of their time have passed
    assert [task.done() for task in tasks] == [False, True, True, False, True, False]
    assert [await task for task in tasks] == [False, True, True, False, True, False]


@in_virtual_time
async def test_what_ends_while_it_stands_still() -> None:
    """A call that ends meanwhile is left alone, and it counts no more."""
    stillness = Stillness(lambda _seconds: None)
    task = asyncio.create_task(_late(stillness, 2, limit=1, server="a"))
    await asyncio.sleep(0.5)
    with stillness.still("a"):
        assert stillness.counts("a")
        assert await task is False
        assert not stillness.counts("a")
        await asyncio.sleep(1)
