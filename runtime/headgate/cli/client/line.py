"""The line between a person at a terminal and a client in its event loop.

The loop turns in a thread of its own: the main thread may wait for a key press or write to a slow pipe while tools and
connections live on, and signals, which Python gives to the main thread alone, find it free to act.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import CancelledError
from contextlib import AbstractAsyncContextManager, aclosing
from types import FrameType

from anyio.from_thread import BlockingPortal, start_blocking_portal

from headgate.cli.client.inbox import Inbox
from headgate.cli.client.local import open_local
from headgate.cli.client.port import Client, Question, Reply, Terms
from headgate.cli.client.remote import open_remote
from headgate.cli.client.signals import handled
from headgate.cli.client.target import Target
from headgate.core.events import Event, InputRequested
from headgate.core.messages import Message, Text
from headgate.engine.run import Ending

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


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
        self._inbox: Inbox | None = None
        self.client = client
        self.interrupted = self.ending = False

    def ask(self, text: str, timeout: float | None = None) -> Generator[Event, None, None]:
        """The events of the answer; a signal, or `timeout` seconds, end the run, and the terminal event says so.

        Raises `GatewayError` when there is no run. The caller adds the answer with `answered`; closing early ends the
        run as well.
        """
        self.interrupted = self.ending = begun = whole = False
        self._messages.append(Message("user", (Text(text),)))
        with handled(self._interrupt, *_SIGNALS), contextlib.closing(Inbox()) as inbox:
            self._inbox = inbox
            pumping = self._portal.start_task_soon(self._pump, inbox, timeout)
            try:
                while (event := inbox.get()) is not None:
                    begun = True
                    yield event
                whole = True
                if not begun:
                    self._messages.pop()  # the conversation has no run that this message belongs to
            finally:
                self._inbox = None
                if not whole:
                    pumping.cancel()
                with contextlib.suppress(CancelledError):
                    pumping.result()

    async def _pump(self, inbox: Inbox, timeout: float | None) -> None:
        loop = asyncio.get_running_loop()
        ending = Ending(f"the answer did not end within {timeout or 0:g} s", "timeout")
        clock = loop.call_later(timeout, self.client.cancel, ending) if timeout is not None else None
        try:
            async with aclosing(self.client.ask(tuple(self._messages))) as events:
                async for event in events:
                    inbox.put(event)
        finally:
            if clock is not None:
                clock.cancel()
            inbox.put(None)

    def _interrupt(self, _signal: int, _frame: FrameType | None) -> None:
        self.interrupted = True
        self.cancel(Ending("interrupted"))

    def cancel(self, ending: Ending) -> None:
        """Asks the answer to end, and returns at once; `ending` says so until the next one."""
        self.ending = True
        self._portal.start_task_soon(self.client.cancel, ending)

    def answered(self, text: str) -> None:
        """What the agent said to the last message becomes part of the conversation."""
        if text:
            self._messages.append(Message("assistant", (Text(text),)))

    # -- questions of the run that is going on ------------------------------------------------------------------------

    def terms(self, question: Question) -> Terms:
        """How the question may be answered here."""
        return self._portal.call(self.client.terms, question)

    def reply(self, question: Question, reply: Reply) -> None:
        """Answers it; raises `GatewayError`."""
        self._portal.call(self.client.reply, question, reply)

    def decline(self, question: InputRequested) -> None:
        """Says that nobody here can execute a client tool; raises `GatewayError`."""
        self._portal.call(self.client.decline, question)

    def typed(self, terminal: int, over: Callable[[Event | None], bool]) -> str | None:
        """See `Inbox.typed`; None also when no answer is going on."""
        return self._inbox.typed(terminal, over) if self._inbox is not None else None

    # -- between two turns --------------------------------------------------------------------------------------------

    def refresh(self) -> str:
        """Makes edits of the tree live; what became of them, or nothing."""
        return self._portal.call(self.client.refresh)

    def reset(self) -> None:
        """Forgets the conversation."""
        self._portal.call(self.client.reset)
        self._messages.clear()
