"""The time limit that never interrupts a consumer."""

from __future__ import annotations

import asyncio

import pytest

from headgate.providers.deadline import Deadline, Silence
from tests.virtual import in_virtual_time


@in_virtual_time
async def test_interrupts_waiting() -> None:
    """Waiting inside the limit ends with `TimeoutError`, and the task is not left cancelled."""
    deadline = Deadline(0.01)
    with pytest.raises(TimeoutError), deadline:
        await asyncio.Event().wait()
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


@in_virtual_time
async def test_spares_the_consumer() -> None:
    """Time spent outside is not interrupted; the next wait is refused at once."""
    deadline = Deadline(0.01)
    await asyncio.sleep(0.03)
    assert deadline.remaining < 0
    with pytest.raises(TimeoutError), deadline:
        raise AssertionError("entered after the limit")


@in_virtual_time
async def test_passes_values_and_errors() -> None:
    """Within the time nothing changes, for results and for errors."""
    deadline = Deadline(5)
    with deadline:
        await asyncio.sleep(0)
    with pytest.raises(KeyError), deadline:
        raise KeyError("x")
    deadline.close()


@in_virtual_time
async def test_other_cancellation_wins() -> None:
    """A cancellation that comes from elsewhere stays one."""

    async def wait() -> None:
        with Deadline(5):
            await asyncio.Event().wait()

    task = asyncio.create_task(wait())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert task.cancelled()


@in_virtual_time
async def test_silence_bounds_every_wait() -> None:
    """A wait that is too long ends with `TimeoutError`, after shorter ones that did not."""
    silence = Silence(0.05)
    for _ in range(4):
        with silence:
            await asyncio.sleep(0.02)
    with pytest.raises(TimeoutError), silence:
        await asyncio.Event().wait()
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


@in_virtual_time
async def test_silence_spares_the_consumer() -> None:
    """Time spent outside does not count, and the next wait has the whole limit."""
    silence = Silence(0.03)
    await asyncio.sleep(0.1)
    with silence:
        await asyncio.sleep(0.005)
    silence.close()


@in_virtual_time
async def test_silence_lets_other_cancellation_pass() -> None:
    """A cancellation that comes from elsewhere stays one."""

    async def wait() -> None:
        with Silence(5):
            await asyncio.Event().wait()

    task = asyncio.create_task(wait())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
