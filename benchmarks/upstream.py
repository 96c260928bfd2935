"""A mock of Anthropic's Messages API that costs next to nothing: raw asyncio, prepared bytes, one chunk a write.

`python -m benchmarks.upstream PORT`. It is no model of the API's rules (the mock that the tests ship is), only of its
stream. Paced deltas carry the time of their writing, `t=<CLOCK_MONOTONIC in ns>`, which other processes can compare.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import Any, cast

import uvloop

from benchmarks.plans import Plan, find_plan

_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ntransfer-encoding: chunked\r\n\r\n"
_BLOCK = 32 << 10
_GOLDEN = 0.618033988749895


def _event(kind: str, **members: Any) -> bytes:
    data = json.dumps({"type": kind, **members}, separators=(",", ":"))
    return f"event: {kind}\ndata: {data}\n\n".encode()


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


_START = _event(
    "message_start",
    message={
        "id": "msg_1", "type": "message", "role": "assistant", "model": "claude-bench", "content": [],
        "stop_reason": None, "stop_sequence": None, "usage": {"input_tokens": 10, "output_tokens": 1},
    },
)  # fmt: skip
_TEXT = _event("content_block_start", index=0, content_block={"type": "text", "text": ""})
_DELTA = _event("content_block_delta", index=0, delta={"type": "text_delta", "text": "a few words "})
_STAMPED = _event("content_block_delta", index=0, delta={"type": "text_delta", "text": "t=%d "})
_STOP = _event("content_block_stop", index=0)


def _end(reason: str) -> bytes:
    delta = {"stop_reason": reason, "stop_sequence": None}
    return _event("message_delta", delta=delta, usage={"output_tokens": 50}) + _event("message_stop")


_ENDED = _chunk(_STOP + _end("end_turn")) + b"0\r\n\r\n"


def _tool_turn(plan: Plan) -> bytes:
    args = '{"text":"hello"}' if plan.tool == "echo" else '{"seconds":0.1}'
    blocks = b""
    for index in range(plan.calls):
        block = {"type": "tool_use", "id": f"toolu_{index}", "name": plan.tool, "input": {}}
        blocks += _event("content_block_start", index=index, content_block=block)
        blocks += _event("content_block_delta", index=index, delta={"type": "input_json_delta", "partial_json": args})
        blocks += _event("content_block_stop", index=index)
    return _HEAD + _chunk(_START + blocks + _end("tool_use")) + b"0\r\n\r\n"


class Upstream(asyncio.Protocol):
    """One connection; requests come one after another, as they do from clients of HTTP/1.1 without pipelining."""

    _count = 0

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._held = b""
        self._timer: asyncio.TimerHandle | None = None
        self._left = 0
        self._full = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's class is not registered as one

    def connection_lost(self, _exc: Exception | None) -> None:
        self._left = 0
        if self._timer is not None:
            self._timer.cancel()

    def data_received(self, data: bytes) -> None:
        self._held += data
        head, found, body = self._held.partition(b"\r\n\r\n")
        if not found:
            return
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0] or 0)
        if len(body) >= length:
            self._held = body[length:]
            self._answer(body[:length])

    def _answer(self, body: bytes) -> None:
        plan = find_plan(body)
        if plan.calls and b'"tool_result"' not in body:
            self._transport.write(_tool_turn(plan))
        elif plan.rate:
            self._transport.write(_HEAD + _chunk(_START + _TEXT))
            Upstream._count += 1
            phase = (Upstream._count * _GOLDEN) % 1.0 / plan.rate
            self._pace(self._loop.time() + phase, plan.deltas, 1.0 / plan.rate)
        elif plan.deltas == 1:
            self._transport.write(_HEAD + _chunk(_START + _TEXT))
            self._transport.write(_chunk(_DELTA))
            self._transport.write(_ENDED)
        else:
            self._transport.write(_HEAD + _chunk(_START + _TEXT))
            self._left = plan.deltas
            self._pour()

    def _pace(self, when: float, left: int, pause: float) -> None:
        self._timer = self._loop.call_at(when, self._tick, when, left, pause)

    def _tick(self, when: float, left: int, pause: float) -> None:
        self._transport.write(_chunk(_STAMPED % time.monotonic_ns()))
        if left > 1:
            self._pace(when + pause, left - 1, pause)
        else:
            self._transport.write(_ENDED)

    def _pour(self) -> None:
        while self._left and not self._full:
            count = min(self._left, _BLOCK // len(_DELTA))
            self._left -= count
            self._transport.write(_chunk(_DELTA * count))
            if not self._left:
                self._transport.write(_ENDED)

    def pause_writing(self) -> None:
        self._full = True

    def resume_writing(self) -> None:
        self._full = False
        if self._left:
            self._pour()


async def _serve(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Upstream, "127.0.0.1", port)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(_serve(int(sys.argv[1])))
