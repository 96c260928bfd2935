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

from headgate.core.errors import StoreError
from headgate.core.events import Event
from headgate.core.messages import ErrorInfo
from headgate.engine.streams import Subscription

if TYPE_CHECKING:
    from litestar.types import Receive, Scope, Send


_HEAD = 0.02
"""Seconds that the response's head waits for the first frame, so that both are one write."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a run is spoken. `event` encodes one event (empty: nothing to say), `broken` why the stream ends before the
    run does, `alive` shows every `keepalive` seconds that the stream is alive."""

    event: Callable[[Event], bytes]
    broken: Callable[[ErrorInfo], bytes]
    alive: Callable[[], bytes]
    keepalive: float


_REVOKED = ErrorInfo("revoked", "the key may not follow this run any more")


class EventStream(ASGIResponse):
    """Streams one run to one client."""

    _should_set_content_length = False

    def __init__(self, subscription: Subscription, dialect: Dialect, *, headers: Mapping[str, str]) -> None:
        super().__init__(headers=dict(headers), media_type="text/event-stream")
        self._subscription = subscription
        self._dialect = dialect
        self._gone = False
        self._due = False
        self._begun = False
        self._timer: asyncio.TimerHandle | None = None

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        """Sends frames until the run has ended or the client has gone."""
        listening = asyncio.create_task(self._listen(receive))
        self._timer = asyncio.get_running_loop().call_later(_HEAD, self._late)
        try:
            await self._send_all(send)
        finally:
            if self._timer is not None:
                self._timer.cancel()
            listening.cancel()
            self._subscription.close()

    async def _send_all(self, send: Send) -> None:
        while not self._gone:
            body, ended = await self._next()
            if not self._begun and (body or ended or self._timer is None):
                self._begun = True
                self._arm()
                await self.start_response(send)
            if body or ended:
                await send({"type": "http.response.body", "body": body, "more_body": not ended})
            if ended:
                return

    async def _next(self) -> tuple[bytes, bool]:
        """What is to be sent now, and whether it is the last."""
        follower = self._subscription.follower
        try:
            body = b"".join(map(self._dialect.event, await follower.batch()))
        except StoreError as error:
            return self._dialect.broken(ErrorInfo(error.code, error.message, error.retryable)), True
        if self._subscription.revoked:
            return body + self._dialect.broken(_REVOKED), True
        reason = follower.log.broken
        if follower.drained:
            return body + (self._dialect.broken(reason) if reason is not None else b""), True
        if self._due:
            self._due = False
            body += self._dialect.alive()
        return body, False

    async def _listen(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self._gone = True
        self._subscription.follower.wake()

    def _late(self) -> None:
        self._timer = None
        self._subscription.follower.wake()

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(self._dialect.keepalive, self._beat)

    def _beat(self) -> None:
        self._due = True
        self._subscription.follower.wake()
        self._timer = None
        self._arm()
