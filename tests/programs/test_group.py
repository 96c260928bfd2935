"""Process groups end as a whole, whatever their members think of signals."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator

import pytest

from headgate.programs.group import Group, kill

OBEDIENT = "sleep 600 & echo; wait"
STUBBORN = "trap '' TERM; (trap '' TERM; sleep 600) & echo; wait; sleep 600"


@contextlib.asynccontextmanager
async def started(script: str) -> AsyncIterator[tuple[asyncio.subprocess.Process, Group]]:
    """A shell that has started a child in its group; what is left of them is killed."""
    exited = asyncio.Event()
    shell = await asyncio.create_subprocess_exec(
        "/bin/sh", "-c", script, stdout=asyncio.subprocess.PIPE, start_new_session=True
    )
    waiter = asyncio.create_task(shell.wait())
    waiter.add_done_callback(lambda _done: exited.set())
    assert shell.stdout is not None
    await shell.stdout.readline()
    try:
        yield shell, Group(shell.pid, exited)
    finally:
        kill(shell.pid)
        await waiter


def is_empty(group: int) -> bool:
    """Whether nobody is in the group any more."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return True
    return False


@pytest.mark.parametrize(("script", "grace", "how"), [(OBEDIENT, 60, signal.SIGTERM), (STUBBORN, 0.1, signal.SIGKILL)])
async def test_it_ends_with_its_children(script: str, grace: float, how: signal.Signals) -> None:
    """The group is asked to end, and is ended when it does not."""
    async with started(script) as (shell, group):
        await group.end(grace=grace, last=60)
        assert await shell.wait() == -how
        assert is_empty(shell.pid)


async def test_a_cancelled_end_kills() -> None:
    """Who has no time to wait leaves nobody behind."""
    async with started(STUBBORN) as (shell, group):
        ending = asyncio.create_task(group.end(grace=600, last=600))
        await asyncio.sleep(0)
        ending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await ending
        assert await shell.wait() == -signal.SIGKILL


async def test_nobody_to_kill() -> None:
    """A group that has ended is not missed."""
    async with started("echo; exit 0") as (shell, group):
        await shell.wait()
        kill(shell.pid)
        await group.end(grace=60, last=60)
        assert shell.returncode == 0
