"""The line between a person at a terminal and a client in its event loop.

The loop turns in a thread of its own: the main thread may wait for a key press or write to a slow pipe while tools and
connections live on, and signals, which Python gives to the main thread alone, find it free to act.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Generator, Iterator
from contextlib import AbstractAsyncContextManager, aclosing
from queue import SimpleQueue
from types import FrameType

from anyio.from_thread import BlockingPortal, start_blocking_portal

from headgate.cli.client.local import open_local
from headgate.cli.client.port import Client
from headgate.cli.client.remote import open_remote
from headgate.cli.client.signals import handled
from headgate.cli.client.target import Target
from headgate.core.events import Event
from headgate.core.messages import Message, Text
from headgate.engine.run import Ending

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextlib.contextmanager
def connect(target: Target) -> Iterator[Line]:
    """A line to the agent; raises `GatewayError` when there is none to be had."""
    key = target.api_key() if target.url is not None else ""
    target.warn()
    with (
        start_blocking_portal(backend_options={"use_uvloop": True}, name="client") as portal,
        portal.wrap_async_context_manager(_opened(target, key)) as client,
    ):
        yield Line(portal, client)


def _opened(target: Target, key: str) -> AbstractAsyncContextManager[Client]:
    return open_remote(target, key) if target.url is not None else open_local(target)


class Line:
    """One conversation, seen from the main thread."""

    def __init__(self, portal: BlockingPortal, client: Client) -> None:
        self._portal = portal
        self._messages: list[Message] = []
        self.client = client
        self.interrupted = False

    def ask(self, text: str, timeout: float | None = None) -> Generator[Event, None, None]:
        """The events of the answer; a signal, or `timeout` seconds, end the run, and the terminal event says so.

        Raises `GatewayError` when there is no run. The caller adds the answer with `answered`.
        """
        told: SimpleQueue[Event | None] = SimpleQueue()
        self.interrupted = False
        self._messages.append(Message("user", (Text(text),)))
        with handled(self._interrupt, *_SIGNALS):
            pumping = self._portal.start_task_soon(self._pump, told, timeout)
            begun = False
            while (event := told.get()) is not None:
                begun = True
                yield event
            if not begun:
                self._messages.pop()  # the conversation has no run that this message belongs to
            pumping.result()

    async def _pump(self, told: SimpleQueue[Event | None], timeout: float | None) -> None:
        loop = asyncio.get_running_loop()
        ending = Ending(f"the answer did not end within {timeout or 0:g} s", "timeout")
        clock = loop.call_later(timeout, self.client.cancel, ending) if timeout is not None else None
        try:
            async with aclosing(self.client.ask(tuple(self._messages))) as events:
                async for event in events:
                    told.put(event)
        finally:
            if clock is not None:
                clock.cancel()
            told.put(None)

    def _interrupt(self, _signal: int, _frame: FrameType | None) -> None:
        self.interrupted = True
        self._portal.start_task_soon(self.client.cancel, Ending("interrupted"))

    def answered(self, text: str) -> None:
        """What the agent said to the last message becomes part of the conversation."""
        if text:
            self._messages.append(Message("assistant", (Text(text),)))

    def refresh(self) -> str:
        """Makes edits of the tree live; what became of them, or nothing."""
        return self._portal.call(self.client.refresh)

    def reset(self) -> None:
        """Forgets the conversation."""
        self._portal.call(self.client.reset)
        self._messages.clear()
