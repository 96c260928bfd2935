"""Answers that are too large, and calls that end their server: they fail with the reason, and are not repeated on."""

from __future__ import annotations

import asyncio
from typing import Any

import mcp_types as types
import pytest

from headgate.core.errors import ToolError
from headgate.mcp.asking import Asking
from headgate.mcp.upstream import REPEATS
from headgate.testing.mcp_http import HttpServer
from headgate.testing.tool_kit import Listener, site
from tests.mcp.guarded import Guarded
from tests.mcp.servers import local, ready, refused, remote, said
from tests.waiting import until


async def test_results_that_are_too_large() -> None:
    """A call whose result is beyond the bound fails with that reason and is not made again; the next call works."""
    async with ready(local()) as upstream:
        assert len(await said(upstream, "flood", bytes=9 << 20)) == 9 << 20
        asked = Listener().context(20).deadline
        error = await refused(upstream, "flood", bytes=20 << 20)
        assert (error.code, error.retryable) == ("connection_error", False)
        assert "more than 16 MiB" in error.message
        assert asyncio.get_running_loop().time() < asked
        await until(lambda: upstream.health.restarts == 1)
        assert await said(upstream, "echo", text="still here") == "still here"


async def test_a_call_that_kills_its_server() -> None:
    """Though it may be repeated, it is not made again and again until its time is up."""
    async with ready(local()) as upstream:
        with pytest.raises(ToolError) as caught:
            await upstream.call("die", {}, Asking(Listener().context(60).deadline, repeatable=True))
        assert caught.value.code == "connection_error"
        await until(lambda: upstream.health.restarts == 1 + REPEATS)


class Big(Guarded):
    """Answers calls with 20 MB."""

    def _result(self, method: str, came: str) -> dict[str, Any] | None:
        found = super()._result(method, came)
        if method == "tools/call" and found is not None:
            found["content"] = [{"type": "text", "text": "x" * (20 << 20)}]
        return found


@pytest.mark.parametrize("repeatable", [False, True])
async def test_a_body_that_is_too_large(repeatable: bool) -> None:
    """The call fails and says why, is not made again and again, and the next one works."""
    big = Big(good={""})
    async with site({"/mcp": big.answer}) as url, ready(remote(f"{url}/mcp")) as upstream:
        deadline = Listener().context(20).deadline
        with pytest.raises(ToolError) as caught:
            await upstream.call("whoami", {}, Asking(deadline, repeatable=repeatable))
        assert caught.value.code == "connection_error"
        assert "larger than 16 MiB" in caught.value.message
        assert len(big.seen) < 8
        assert upstream.health.state == "ready"


class Large(HttpServer):
    """Answers calls with 20 MB, in an event."""

    async def _call(self, ctx: Any, params: Any) -> Any:
        if params.name != "sleep":
            return await super()._call(ctx, params)
        self.calls.append(params.name)
        return types.CallToolResult(content=[types.TextContent(type="text", text="x" * (20 << 20))])


@pytest.mark.parametrize("repeatable", [False, True])
@pytest.mark.parametrize(
    ("form", "transport"),
    [({}, "streamable_http"), ({"era": "legacy"}, "streamable_http"), ({"sse": True, "era": "legacy"}, "sse")],
)
async def test_an_event_that_is_too_large(form: dict[str, Any], transport: str, repeatable: bool) -> None:
    """The same of answers that are events, in every transport."""
    async with Large(**form) as server, ready(remote(server.url, transport=transport)) as upstream:
        with pytest.raises(ToolError) as caught:
            await upstream.call("sleep", {}, Asking(Listener().context(20).deadline, repeatable=repeatable))
        assert caught.value.code == "connection_error"
        assert len(server.calls) <= (1 + REPEATS if repeatable else 1)
        assert await said(upstream, "echo", text="still here") == "still here"
