"""Owner tasks: what opens an object also closes it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from headgate.compile.resources import Resource
from headgate.core.errors import ConfigError


@contextlib.asynccontextmanager
async def _scoped(seen: list[str]) -> AsyncIterator[str]:
    """Like clients with cancel scopes, this must be left in the task that entered it."""
    async with asyncio.timeout(60):
        seen.append(asyncio.current_task().get_name())  # type: ignore[union-attr]
        yield "open"
        seen.append(asyncio.current_task().get_name())  # type: ignore[union-attr]


@contextlib.asynccontextmanager
async def _failing(at: str) -> AsyncIterator[str]:
    if at == "open":
        raise OSError("no such device")
    yield "open"
    raise OSError("cannot close")


async def test_one_task_opens_and_closes() -> None:
    """The owner task has the object's name, and both ends of its life."""
    seen: list[str] = []
    resource = Resource(("tools", "x"), "1")
    await resource.open(lambda: _scoped(seen))
    assert resource.value == "open"
    resource.hold()
    await resource.release()
    assert seen == ["owner of tools/x"] * 2


async def test_the_last_holder_closes() -> None:
    """An object that two snapshots hold stays open for the second."""
    seen: list[str] = []
    resource = Resource(("tools", "x"), "1")
    await resource.open(lambda: _scoped(seen))
    resource.hold()
    resource.hold()
    await resource.release()
    assert len(seen) == 1
    await resource.release()
    assert len(seen) == 2


async def test_a_failure_to_open_goes_to_the_opener() -> None:
    """It arrives as a deliberate error; closing afterwards is harmless."""
    resource = Resource(("tools", "x"), "1")
    with pytest.raises(ConfigError, match="OSError: no such device"):
        await resource.open(lambda: _failing("open"))
    await resource.close()


async def test_a_failure_to_close_stops_nobody(capsys: pytest.CaptureFixture[str]) -> None:
    """It is logged with the name of the object."""
    resource = Resource(("tools", "x"), "1")
    await resource.open(lambda: _failing("close"))
    await resource.close()
    assert "tools/x" in capsys.readouterr().out


async def test_an_object_that_was_never_opened_can_be_closed() -> None:
    """Closing twice, or before opening, does nothing."""
    resource = Resource(("tools", "x"), "1")
    await resource.close()
    await resource.close()
    assert resource.holders == 0
