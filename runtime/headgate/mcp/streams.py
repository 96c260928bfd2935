"""The stream of messages of a server, as the SDK is given it: watched for its end, and without tools that are none."""

from __future__ import annotations

import asyncio
from typing import Any

import anyio
from mcp.client._transport import TransportStreams
from mcp.shared.message import SessionMessage

from headgate.mcp.sifting import sift


class Ready:
    """Streams that are open already, as a transport; `over` is set when there is nothing more to read."""

    def __init__(self, streams: TransportStreams, over: asyncio.Event, refused: list[str]) -> None:
        self._streams = streams
        self._over = over
        self._refused = refused

    async def __aenter__(self) -> TransportStreams:
        read, write = self._streams
        return _Ending(read, self._over, self._refused), write

    async def __aexit__(self, *_exc: object) -> None:
        return None


class _Ending:
    """A stream of messages that tells of its end, without tools that are none; all else is that of the stream."""

    def __init__(self, stream: Any, over: asyncio.Event, refused: list[str]) -> None:
        self._stream = stream
        self._over = over
        self._refused = refused

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    async def __aenter__(self) -> _Ending:
        await self._stream.__aenter__()
        return self

    async def __aexit__(self, *exc: Any) -> Any:
        self._over.set()
        return await self._stream.__aexit__(*exc)

    def __aiter__(self) -> _Ending:
        return self

    async def __anext__(self) -> Any:
        try:
            item = await self._stream.__anext__()
        except (StopAsyncIteration, anyio.ClosedResourceError):
            self._over.set()
            raise
        if isinstance(item, SessionMessage):
            self._refused += sift(item.message)
        return item
