"""The server behind the mocks of the providers' APIs: real HTTP on 127.0.0.1, scripted replies, recorded requests."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar

import msgspec
from aiohttp import web

from headgate.testing.model_replies import ModelReply

R = TypeVar("R", bound=ModelReply)


@dataclass(frozen=True, slots=True)
class Received:
    """One request as it arrived; header names are in lower case."""

    headers: Mapping[str, str]
    body: dict[str, Any]
    path: str = ""


class ModelApi(ABC, Generic[R]):
    """Serves `POST` on its `paths`, on a free port of 127.0.0.1, while the context is open.

    Each request takes the next reply; after the last one `default` answers, which may also be a function of the
    request. A request that the real API would refuse gets its refusal and takes no reply. `disconnects` counts the
    clients that left before their answer was complete.
    """

    paths: ClassVar[tuple[str, ...]]

    def __init__(self, *replies: R, default: R | Callable[[Received], R]) -> None:
        self._replies = deque(replies)
        self._default = default
        self._released = asyncio.Event()
        self._changed = asyncio.Condition()
        self._runner: web.AppRunner | None = None
        self.requests: list[Received] = []
        self.connections: set[Any] = set()
        self.disconnects = 0
        self.url = ""

    @abstractmethod
    def refuse(self, received: Received | None) -> R | None:
        """The answer of the API to a request that it would not take; None stands for one that is not JSON."""

    @abstractmethod
    def events(self, reply: R, received: Received) -> Iterable[bytes]:
        """The frames of a streamed answer."""

    @abstractmethod
    def whole(self, reply: R, received: Received) -> dict[str, Any]:
        """The answer to a request that does not stream."""

    async def __aenter__(self) -> ModelApi[R]:
        app = web.Application(client_max_size=1 << 26)
        for path in self.paths:
            app.router.add_post(path, self._serve)
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

    def queue(self, *replies: R) -> None:
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
            received = Received(headers, msgspec.json.decode(await request.read()), request.path)
        except msgspec.DecodeError:
            return _answer(self.refuse(None))
        self.requests.append(received)
        await self._tell()
        reply = self.refuse(received) or self._next(received)
        try:
            return await self._play(request, received, reply)
        except (asyncio.CancelledError, ConnectionError):
            self.disconnects += 1
            await self._tell()
            raise

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    def _next(self, received: Received) -> R:
        if self._replies:
            return self._replies.popleft()
        return self._default if isinstance(self._default, ModelReply) else self._default(received)

    async def _play(self, request: web.Request, received: Received, reply: R) -> web.StreamResponse:
        if reply.status != 200:
            return _answer(reply)
        if reply.ending == "stall" and reply.after == 0:
            await self._released.wait()
        if not received.body.get("stream"):
            return web.json_response(self.whole(reply, received), headers=reply.headers)
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream; charset=utf-8", **reply.headers})
        await response.prepare(request)
        count = 0
        for count, event in enumerate(self.events(reply, received), 1):
            if count - 1 == reply.after and reply.ending != "whole" and await self._break(request, reply):
                return response
            await asyncio.sleep(reply.delay)
            for piece in _pieces(event, reply.size):
                await response.write(piece)
        if count == reply.after and reply.ending != "whole" and await self._break(request, reply):
            return response
        await response.write_eof()
        return response

    async def _break(self, request: web.Request, reply: R) -> bool:
        """Ends or interrupts the stream; whether it is over."""
        if reply.ending == "stall":
            await self._released.wait()
            return False
        if reply.ending == "cut" and request.transport is not None:
            request.transport.close()
        return True


def _answer(reply: ModelReply | None) -> web.StreamResponse:
    found = reply or ModelReply(status=400)
    return web.json_response(found.body, status=found.status, headers=found.headers)


def _pieces(event: bytes, size: int | None) -> Iterator[bytes]:
    step = size or len(event)
    return (event[at : at + step] for at in range(0, len(event), step))
