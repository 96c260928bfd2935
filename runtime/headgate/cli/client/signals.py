"""What a signal does for as long as something goes on; signals belong to the main thread alone."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Callable, Iterator
from types import FrameType

Handler = Callable[[int, FrameType | None], object]


@contextlib.contextmanager
def handled(handler: Handler, *signals: int) -> Iterator[None]:
    """Has the handler answer the signals until the block is left."""
    before = [(each, signal.signal(each, handler)) for each in signals]
    try:
        yield
    finally:
        for each, held in before:
            signal.signal(each, signal.SIG_DFL if held is None else held)


def ignore(_signal: int, _frame: FrameType | None) -> None:
    """Does nothing. Other than `SIG_IGN` it is not inherited by the processes that tools start."""
