"""A time limit for async generators: it interrupts their waiting, never the work of whoever consumes them."""

from __future__ import annotations

import asyncio
from types import TracebackType


class Deadline:
    """Bounds the time of many short waits with one timer.

    `asyncio.timeout` must not stand around a `yield`: it would cancel the consumer, whose code runs in the same task
    while the generator is suspended. And one timeout for every event costs more than the event. So the clock runs all
    the time, and only what happens inside `with deadline:` is interrupted, by `TimeoutError`.
    """

    def __init__(self, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        self._clock = loop.time
        self._when = loop.time() + seconds
        self._timer = loop.call_at(self._when, self._expire)
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
        task = asyncio.current_task()
        assert task is not None
        self._task, self._cancelling = task, task.cancelling()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        task, self._task = self._task, None
        if task is None or not self._fired:
            return
        self._fired = False
        # Somebody else's cancellation, which came at the same time, goes on.
        if task.uncancel() <= self._cancelling and kind is asyncio.CancelledError:
            raise TimeoutError from error
