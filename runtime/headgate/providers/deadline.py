"""A time limit for async generators: it interrupts their waiting, never the work of whoever consumes them."""

from __future__ import annotations

import asyncio
from types import TracebackType


class Deadline:
    """Bounds the time of many short waits with one timer.

    `asyncio.timeout` must not stand around a `yield`: it would cancel the consumer, whose code runs in the same task
    while the generator is suspended. And one timeout for every event costs more than the event. So the clock runs all
    the time, and only what happens inside `with deadline:` is interrupted, by `TimeoutError`. One task makes
    and enters it.
    """

    def __init__(self, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        self._clock = loop.time
        self._when = loop.time() + seconds
        self._timer = loop.call_at(self._when, self._expire)
        self._owner = _task()
        self._task: asyncio.Task[object] | None = None
        self._cancelling = 0
        self._expired = False
        self._fired = False

    @property
    def remaining(self) -> float:
        """Seconds until the limit; negative after it."""
        return self._when - self._clock()

    def close(self) -> None:
        """Stops the timer."""
        self._timer.cancel()

    def _expire(self) -> None:
        self._expired = True
        if self._task is not None:
            self._fired = True
            self._task.cancel()

    def __enter__(self) -> None:
        if self._expired:
            raise TimeoutError
        self._task, self._cancelling = self._owner, self._owner.cancelling()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._task = None
        if not self._fired:
            return
        self._fired, task = False, self._owner
        # Somebody else's cancellation, which came at the same time, goes on.
        if task.uncancel() <= self._cancelling and kind is asyncio.CancelledError:
            raise TimeoutError from error


class Silence:
    """Bounds every single wait of one task with one timer, which is moved only when it goes off.

    It is made and entered by the task that waits.
    """

    def __init__(self, seconds: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._task = _task()
        self._seconds = seconds
        self._since = 0.0
        self._waiting = False
        self._fired = False
        self._cancelling = 0
        self._timer = self._loop.call_later(seconds, self._look)

    def close(self) -> None:
        """Stops the timer."""
        self._timer.cancel()

    def _look(self) -> None:
        now = self._loop.time()
        due = (self._since if self._waiting else now) + self._seconds
        if due > now:
            self._timer = self._loop.call_at(due, self._look)
            return
        self._fired = True
        self._task.cancel()

    def __enter__(self) -> None:
        self._since, self._waiting, self._cancelling = self._loop.time(), True, self._task.cancelling()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._waiting = False
        if not self._fired:
            return
        self._fired = False
        if self._task.uncancel() <= self._cancelling and kind is asyncio.CancelledError:
            raise TimeoutError from error


def _task() -> asyncio.Task[object]:
    task = asyncio.current_task()
    assert task is not None
    return task
