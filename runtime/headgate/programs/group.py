"""The process group of a program: it is signalled and ended as a whole, with all that the program has started."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal

_TICK = 0.01
"""Seconds between two looks: the system does not tell when a group is empty."""


class Group:
    """The group of a program that was started with `start_new_session`; `exited` is set once it was waited for.

    A process that leaves the group on purpose (`setsid`) is beyond reach, as is one of another user.
    """

    def __init__(self, pid: int, exited: asyncio.Event) -> None:
        self._pid = pid
        self._exited = exited

    async def end(self, *, grace: float, last: float) -> None:
        """Asks the group to end (SIGTERM), and after `grace` seconds ends it (SIGKILL) and waits `last` seconds more.

        When it is cancelled the group is killed at once.
        """
        try:
            for sign, patience in ((signal.SIGTERM, grace), (signal.SIGKILL, last)):
                if not self._signal(sign) or await self._is_gone(patience):
                    return
        except asyncio.CancelledError:
            self._signal(signal.SIGKILL)
            raise

    async def _is_gone(self, patience: float) -> bool:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + patience
        while self._signal(0):
            if loop.time() >= deadline:
                return False
            await asyncio.sleep(_TICK)
        return True

    def _signal(self, sign: int) -> bool:
        """Signals the group; whether there is anybody left in it.

        The number of the group cannot be given to another while one member lives, so signals do not go astray.
        """
        if self._exited.is_set():
            _reap(self._pid)
        try:
            os.killpg(self._pid, sign)
        except ProcessLookupError:
            return not self._exited.is_set()
        except PermissionError:
            return True
        return True


def kill(group: int) -> None:
    """Ends the group of this process at once, as far as that is allowed."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)


def _reap(group: int) -> None:
    """Waits for orphans of the group that became children of the gateway, as they do where it runs as process 1."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-group, os.WNOHANG)[0]:
            pass
