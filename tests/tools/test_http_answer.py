"""What a tool of kind `http` makes of an answer."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

from headgate.core.messages import File, Image, Text, ToolResult
from headgate.core.ports import Tool
from headgate.testing.tool_kit import (
    Handler,
    Listener,
    check_cancellation,
    check_definition,
    check_failure,
    check_result,
    opened,
    site,
)
from headgate.tools.http import KIND


@asynccontextmanager
async def asking(handler: Handler, *, method: str = "GET", path: str = "/x", **keys: Any) -> AsyncIterator[Tool]:
    """A tool whose server is `handler`."""
    async with site({"/{any:.*}": handler}) as base:
        body = {"description": "x", "request": {"url": base + path, "method": method}, **keys}
        async with opened(KIND, body, scrub=lambda text: text.replace("hunter22", "[redacted]")) as tool:
            yield tool


def answering(body: bytes | str, media: str = "application/json", status: int = 200, **headers: str) -> Handler:
    async def answer(_request: web.Request) -> web.Response:
        raw = body.encode() if isinstance(body, str) else body
        return web.Response(body=raw, status=status, headers={"Content-Type": media, **headers})

    return answer


async def result_of(handler: Handler, **keys: Any) -> ToolResult:
    async with asking(handler, **keys) as tool:
        check_definition(tool, "sample")
        return await check_result(tool, {})


async def test_json_is_structured_and_shaped() -> None:
    """`output:` is applied to the JSON of the answer."""
    handler = answering('{"results": [{"plan_name": "gold"}]}', "application/vnd.api+json; charset=utf-8")
    assert (await result_of(handler)).structured == {"results": [{"plan_name": "gold"}]}
    assert (await result_of(handler, output="results[0].{plan: plan_name}")).structured == {"plan": "gold"}


async def test_text_is_cleaned() -> None:
    """Hidden characters and secrets are not passed on."""
    result = await result_of(answering("a\u200bb hunter22", "text/html; charset=utf-8"))
    assert result.content == (Text("ab [redacted]"),)


async def test_other_types() -> None:
    """Images are images, other bytes are files named by the URL, nothing is nothing."""
    image = await result_of(answering(b"\x89PNG", "image/png"))
    pdf = await result_of(answering(b"%PDF", "application/pdf"), path="/files/report.pdf")
    empty = await result_of(answering(b"", status=204))
    assert image.content == (Image("image/png", b"\x89PNG"),)
    assert pdf.content == (File("report.pdf", "application/pdf", b"%PDF"),)
    assert empty.payload is None


async def test_output_needs_json() -> None:
    """Text that is JSON may be shaped whatever its type; other text is an error."""
    assert (await result_of(answering('{"a": 1}', "text/plain"), output="a")).structured == 1
    async with asking(answering("<html>", "text/html"), output="a") as tool:
        assert (await check_failure(tool, {})).code == "invalid_result"


async def test_head_answers_with_headers() -> None:
    """The result of HEAD is the status and the headers, but for credentials."""
    handler = answering("", "text/plain", ETag="v1", **{"Set-Cookie": "a=b"})
    result = await result_of(handler, method="HEAD", output="{status: status, headers: headers}")
    assert (result.structured["status"], result.structured["headers"]["etag"]) == (200, "v1")
    assert "set-cookie" not in result.structured["headers"]


@pytest.mark.parametrize(
    ("status", "retryable"),
    [(301, False), (400, False), (404, False), (408, True), (429, True), (500, True), (501, True), (503, True)],
)
async def test_error_statuses_are_results(status: int, retryable: bool) -> None:
    """An error status is a result with the status and the start of what the server said, without secrets."""
    async with asking(answering("hunter22 " + "x" * 600, "text/plain", status), method="POST") as tool:
        result = await tool.call({}, Listener().context())
    assert result.error is not None
    assert (result.status, result.error.code, result.error.details) == ("error", "http_status", {"status": status})
    assert result.error.retryable is retryable
    assert f"answered {status}" in result.error.message
    assert "hunter22" not in result.error.message
    assert 480 < result.error.message.count("x") <= 500


async def test_an_echoed_credential_is_not_shown() -> None:
    """What the server repeats of the credentials stays hidden, in errors and in results."""

    async def echo(request: web.Request) -> web.Response:
        return web.json_response(dict(request.headers), status=int(request.query["status"]))

    auth = {"type": "basic", "username": "me", "password": "p4ssword"}
    for status in ("200", "403"):
        async with asking(echo, path=f"/x?status={status}", auth=auth) as tool:
            result = await tool.call({}, Listener().context())
        assert "[redacted]" in str(result)
        assert "bWU6cDRzc3dvcmQ=" not in str(result)


async def test_the_size_is_bounded() -> None:
    """More bytes than `max_bytes`, after decompression, are an error."""
    packed = gzip.compress(b'"' + b"x" * 100_000 + b'"')
    async with asking(answering(packed, **{"Content-Encoding": "gzip"}), max_bytes="10KiB") as tool:
        assert (await check_failure(tool, {})).code == "result_too_large"


@pytest.mark.parametrize(
    ("handler", "code"),
    [
        (answering("{"), "invalid_result"),
        (answering("not gzip", **{"Content-Encoding": "gzip"}), "invalid_result"),
    ],
)
async def test_unreadable_answers(handler: Handler, code: str) -> None:
    """An answer that is not what it says is an error."""
    async with asking(handler) as tool:
        assert (await check_failure(tool, {})).code == code


async def test_redirects_are_followed_for_get_only() -> None:
    """GET follows up to five; other methods answer with the status."""

    async def count(request: web.Request) -> web.Response:
        left = int(request.path.rpartition("/")[2])
        if left:
            raise web.HTTPFound(f"/{left - 1}")
        return web.json_response("there")

    async with asking(count, path="/5") as tool:
        assert (await check_result(tool, {})).structured == "there"
    for method, path in (("GET", "/6"), ("POST", "/1")):
        async with asking(count, path=path, method=method) as tool:
            assert (await check_failure(tool, {})).details == {"status": 302}


async def test_failures_of_the_network() -> None:
    """Addresses that are refused, unreachable or unknown are errors with codes of their own."""
    for url, code, retryable in (
        ("http://127.0.0.2:1/", "egress_refused", False),
        ("http://127.0.0.1:1/", "connection_error", True),
        ("http://nothing.invalid/", "connection_error", True),
    ):
        body = {"description": "x", "request": {"url": url}}
        async with opened(KIND, body, allow=("127.0.0.1", "nothing.invalid")) as tool:
            failure = await check_failure(tool, {})
        assert (failure.code, failure.retryable) == (code, retryable)


async def never(_request: web.Request) -> web.Response:
    await asyncio.Event().wait()
    return web.Response()


async def test_a_call_ends_at_its_deadline() -> None:
    """A server that does not answer is a time-out."""
    async with asking(never) as tool:
        failure = await check_failure(tool, {}, timeout=0.05)
    assert (failure.code, failure.retryable) == ("tool_timeout", True)


async def test_cancellation_closes_the_connection() -> None:
    """A cancelled call leaves nothing running: the server sees it go."""
    started, ended = asyncio.Event(), asyncio.Event()

    async def hang(request: web.Request) -> web.Response:
        started.set()
        try:
            return await never(request)
        finally:
            ended.set()

    async with asking(hang) as tool:
        await check_cancellation(tool, {}, started, ended)
