"""A local mock of Anthropic's Messages API: a real HTTP server that plays scripted replies and refuses bad requests."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
from aiohttp import web

from headgate.testing.anthropic_replies import Reply, error, text, turn
from headgate.testing.anthropic_rules import complaint


@dataclass(frozen=True, slots=True)
class Received:
    """One request as it arrived; header names are in lower case."""

    headers: Mapping[str, str]
    body: dict[str, Any]


class AnthropicApi:
    """Serves `POST /v1/messages` on 127.0.0.1 while the context is open.

    Each request takes the next reply; after the last one `default` answers, which may also be a function of the
    request. A request that the real API would refuse gets its 400 or 401 and takes no reply. `disconnects` counts the
    clients that left before their answer was complete.
    """

    def __init__(self, *replies: Reply, default: Reply | Callable[[Received], Reply] | None = None) -> None:
        self._replies = deque(replies)
        self._default = default or turn(text("Hello", " there"))
        self._released = asyncio.Event()
        self._changed = asyncio.Condition()
        self._runner: web.AppRunner | None = None
        self.requests: list[Received] = []
        self.connections: set[Any] = set()
        self.disconnects = 0
        self.url = ""

    async def __aenter__(self) -> AnthropicApi:
        app = web.Application(client_max_size=1 << 26)
        app.router.add_post("/v1/messages", self._serve)
        # Only with handler_cancellation does a handler that waits notice that its client is gone.
        self._runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = "http://{}:{}".format(*self._runner.addresses[0][:2])
        return self

    async def __aexit__(self, *_: object) -> None:
        self.release()
        if self._runner is not None:
            await self._runner.cleanup()

    def queue(self, *replies: Reply) -> None:
        """Adds replies behind those that wait."""
        self._replies.extend(replies)

    def release(self) -> None:
        """Lets stalled streams go on to their end."""
        self._released.set()

    async def arrived(self, count: int = 1) -> None:
        """Waits until so many requests have arrived."""
        async with self._changed:
            await self._changed.wait_for(lambda: len(self.requests) >= count)

    async def gone(self, count: int = 1) -> None:
        """Waits until so many clients have left early."""
        async with self._changed:
            await self._changed.wait_for(lambda: self.disconnects >= count)

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        self.connections.add(request.transport)
        headers = {name.lower(): value for name, value in request.headers.items()}
        try:
            received = Received(headers, msgspec.json.decode(await request.read()))
        except msgspec.DecodeError:
            return _answer(error(400, "invalid_request_error", "The request body is not valid JSON"))
        self.requests.append(received)
        await self._tell()
        reply = _refusal(received) or self._next(received)
        try:
            return await self._play(request, received, reply)
        except (asyncio.CancelledError, ConnectionError):
            self.disconnects += 1
            await self._tell()
            raise

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    def _next(self, received: Received) -> Reply:
        if self._replies:
            return self._replies.popleft()
        return self._default if isinstance(self._default, Reply) else self._default(received)

    async def _play(self, request: web.Request, received: Received, reply: Reply) -> web.StreamResponse:
        if reply.status != 200:
            return _answer(reply)
        if reply.ending == "stall" and reply.after == 0:
            await self._released.wait()
        model = received.body["model"]
        if not received.body.get("stream"):
            return web.json_response(reply.message(model), headers=reply.headers)
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream; charset=utf-8", **reply.headers})
        await response.prepare(request)
        for index, event in enumerate(reply.events(model)):
            if index == reply.after and reply.ending != "whole" and await self._break(request, reply):
                return response
            await asyncio.sleep(reply.delay)
            for piece in _pieces(event, reply.size):
                await response.write(piece)
        await response.write_eof()
        return response

    async def _break(self, request: web.Request, reply: Reply) -> bool:
        """Ends or interrupts the stream; whether it is over."""
        if reply.ending == "stall":
            await self._released.wait()
            return False
        if reply.ending == "cut" and request.transport is not None:
            request.transport.close()
        return True


def _refusal(received: Received) -> Reply | None:
    """The answer of the API to a request that it would not take."""
    headers = received.headers
    if not headers.get("authorization", "").startswith("Bearer ") and not headers.get("x-api-key"):
        return error(401, "authentication_error", "authentication is required")
    if "anthropic-version" not in headers:
        return error(400, "invalid_request_error", "anthropic-version: header is required")
    problem = complaint(received.body)
    return error(400, "invalid_request_error", problem) if problem else None


def _answer(reply: Reply) -> web.StreamResponse:
    return web.json_response(reply.body, status=reply.status, headers=reply.headers)


def _pieces(event: bytes, size: int | None) -> Iterator[bytes]:
    step = size or len(event)
    return (event[at : at + step] for at in range(0, len(event), step))
