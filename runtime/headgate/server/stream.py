"""A run's events as a body that goes on: one write for all frames that are there, and nothing kept for a slow client.

The response listens for the client's leaving, but the run does not depend on it: leaving releases the follower, at
once and without waiting for anything. A client that does not read holds a position in the run's log, and what fits
into the socket's buffer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from litestar.response.base import ASGIResponse

from headgate.core.events import Event
from headgate.engine.streams import Subscription

if TYPE_CHECKING:
    from litestar.types import Receive, Scope, Send

Frame = Callable[[Event], bytes]


@dataclass(frozen=True, slots=True)
class Keepalive:
    """A frame that shows that the stream is alive, every so many seconds."""

    seconds: float
    frame: Callable[[], bytes]


class EventStream(ASGIResponse):
    """Streams one run to one client. `frame` encodes an event for the dialect (empty: nothing to say)."""

    _should_set_content_length = False

    def __init__(
        self, subscription: Subscription, frame: Frame, *, headers: Mapping[str, str], keepalive: Keepalive
    ) -> None:
        super().__init__(headers=dict(headers), media_type="text/event-stream")
        self._subscription = subscription
        self._frame = frame
        self._keepalive = keepalive
        self._gone = False
        self._due = False
        self._timer: asyncio.TimerHandle | None = None

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        """Sends frames until the run has ended or the client has gone."""
        listening = asyncio.create_task(self._listen(receive))
        self._arm()
        try:
            await self.start_response(send)
            await self._send_all(send)
        finally:
            if self._timer is not None:
                self._timer.cancel()
            listening.cancel()
            self._subscription.close()

    async def _send_all(self, send: Send) -> None:
        follower = self._subscription.follower
        while not self._gone:
            body = b"".join(map(self._frame, await follower.batch()))
            ended = follower.drained
            if self._due and not ended:
                self._due = False
                body += self._keepalive.frame()
            if body or ended:
                await send({"type": "http.response.body", "body": body, "more_body": not ended})
            if ended:
                return

    async def _listen(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self._gone = True
        self._subscription.follower.wake()

    def _arm(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(self._keepalive.seconds, self._beat)

    def _beat(self) -> None:
        self._due = True
        self._subscription.follower.wake()
        self._arm()
