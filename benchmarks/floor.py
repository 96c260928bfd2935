"""`floor-agent`: the same agent loop as a bare ASGI app with raw HTTP, and nothing else.

`python -m benchmarks.floor PORT UPSTREAM_URL`. No framework, SDK, authentication, store, validation, retries or limits:
what it costs is what Python costs. It joins all frames that one upstream read completes, as the gateway does.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import msgspec
import uvicorn

from benchmarks.tools import CALLS

Asgi = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Asgi]]
Send = Callable[[Asgi], Awaitable[None]]
_encode = msgspec.json.Encoder().encode
_HEADERS = [(b"content-type", b"text/event-stream")]
_TOOLS = [{"name": name, "input_schema": {"type": "object"}} for name in CALLS]


class _Delta(msgspec.Struct):
    type: str = ""
    text: str = ""
    partial_json: str = ""


class _Block(msgspec.Struct):
    type: str = ""
    id: str = ""
    name: str = ""


class _Event(msgspec.Struct):
    type: str
    index: int = 0
    delta: _Delta | None = None
    content_block: _Block | None = None


_decode = msgspec.json.Decoder(_Event).decode


@dataclass(slots=True)
class _Turn:
    text: list[str] = field(default_factory=list)
    calls: dict[int, tuple[_Block, list[str]]] = field(default_factory=dict)

    def take(self, data: bytes) -> bytes:
        """The frame of one event, or nothing."""
        event = _decode(data)
        if event.type == "content_block_delta" and event.delta is not None:
            if event.delta.type == "text_delta":
                self.text.append(event.delta.text)
                return b'data: {"type":"text_delta","text":' + _encode(event.delta.text) + b"}\n\n"
            self.calls[event.index][1].append(event.delta.partial_json)
        elif event.content_block is not None and event.content_block.type == "tool_use":
            self.calls[event.index] = (event.content_block, [])
        return b""


class FloorAgent:
    """The ASGI application."""

    def __init__(self, upstream: str) -> None:
        self._url = f"{upstream}/v1/messages"
        self._http: aiohttp.ClientSession | None = None

    async def __call__(self, scope: Asgi, receive: Receive, send: Send) -> None:
        if scope["path"] != "/api/chat":
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
            await send({"type": "http.response.body", "body": b"ok"})
            return
        body = b""
        more = True
        while more:
            message = await receive()
            body, more = body + message["body"], message["more_body"]
        await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
        await self._loop(msgspec.json.decode(body)["messages"], send)
        await send({"type": "http.response.body", "body": b'data: {"type":"stream_complete"}\n\n'})

    async def _loop(self, messages: list[Any], send: Send) -> None:
        while True:
            turn = await self._turn(messages, send)
            if not turn.calls:
                return
            results = await asyncio.gather(*(_call(block, "".join(raw)) for block, raw in turn.calls.values()))
            blocks = [{"type": "tool_use", "id": b.id, "name": b.name, "input": {}} for b, _ in turn.calls.values()]
            messages += [{"role": "assistant", "content": blocks}, {"role": "user", "content": results}]

    async def _turn(self, messages: list[Any], send: Send) -> _Turn:
        if self._http is None:
            self._http = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))
        asked = {"model": "claude-bench", "max_tokens": 999, "stream": True, "messages": messages, "tools": _TOOLS}
        turn, rest = _Turn(), b""
        async with self._http.post(self._url, data=_encode(asked)) as answer:
            async for data in answer.content.iter_any():
                *lines, rest = (rest + data).split(b"\n")
                frames = b"".join(turn.take(line[6:]) for line in lines if line.startswith(b"data: "))
                if frames:
                    await send({"type": "http.response.body", "body": frames, "more_body": True})
        return turn


async def _call(block: _Block, raw: str) -> dict[str, Any]:
    result = await CALLS[block.name](**msgspec.json.decode(raw))
    return {"type": "tool_result", "tool_use_id": block.id, "content": _encode(result).decode()}


if __name__ == "__main__":
    uvicorn.run(
        FloorAgent(sys.argv[2]), host="127.0.0.1", port=int(sys.argv[1]), loop="uvloop", http="httptools",
        lifespan="off", log_config=None, access_log=False,
    )  # fmt: skip
