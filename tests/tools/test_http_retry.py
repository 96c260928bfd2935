"""Further attempts, and tokens that are fetched."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web

from headgate.core.ports import Tool
from headgate.testing.tool_kit import Handler, check_failure, check_result, opened, site
from headgate.tools.http import KIND

RETRY = {"max": 2, "backoff": "1ms"}


@dataclass
class Flaky:
    """A server that gives its answers one after the other, then `ok`."""

    answers: list[tuple[int, dict[str, str]]]
    keys: list[str | None] = field(default_factory=list)

    async def answer(self, request: web.Request) -> web.Response:
        self.keys.append(request.headers.get("Idempotency-Key"))
        status, headers = self.answers.pop(0) if self.answers else (200, {})
        if status == 0:
            assert request.transport is not None
            request.transport.abort()
        return web.json_response("ok", status=status or 200, headers=headers)


@asynccontextmanager
async def asking(handler: Handler, *, method: str = "GET", **keys: Any) -> AsyncIterator[Tool]:
    async with site({"/": handler}) as base:
        body = {"description": "x", "request": {"url": f"{base}/", "method": method}, **keys}
        async with opened(KIND, body) as tool:
            yield tool


@pytest.mark.parametrize("status", [0, 408, 425, 429, 500, 502, 503, 504])
async def test_what_may_pass_is_tried_again(status: int) -> None:
    """Lost connections and passing statuses are followed by another attempt."""
    flaky = Flaky([(status, {}), (status, {})])
    async with asking(flaky.answer, retry=RETRY) as tool:
        assert (await check_result(tool, {})).structured == "ok"
    assert len(flaky.keys) == 3


@pytest.mark.parametrize(("status", "code"), [(0, "connection_error"), (503, "http_status")])
async def test_attempts_end(status: int, code: str) -> None:
    """After `max` further attempts the last failure is the result."""
    flaky = Flaky([(status, {})] * 9)
    async with asking(flaky.answer, retry=RETRY) as tool:
        assert (await check_failure(tool, {})).code == code
    assert len(flaky.keys) == 3


@pytest.mark.parametrize(
    ("status", "keys"), [(503, {}), (400, {"retry": RETRY}), (501, {"retry": RETRY}), (503, {"retry": {"max": 0}})]
)
async def test_nothing_else_is_tried_again(status: int, keys: dict[str, Any]) -> None:
    """Without `retry:`, or for other statuses, there is one attempt."""
    flaky = Flaky([(status, {})] * 9)
    async with asking(flaky.answer, **keys) as tool:
        await check_failure(tool, {})
    assert len(flaky.keys) == 1


async def test_attempts_share_the_idempotency_key() -> None:
    """The server can see that it is the same call."""
    flaky = Flaky([(503, {})])
    async with asking(flaky.answer, method="POST", retry=RETRY, annotations={"idempotent": True}) as tool:
        await check_result(tool, {})
    assert flaky.keys == ["run_1:1:call_1"] * 2


@pytest.mark.parametrize("told", ["0", "Wed, 21 Oct 2015 07:28:00 GMT", "nonsense"])
async def test_retry_after_is_honoured(told: str) -> None:
    """Seconds and dates are understood; a date in the past means now."""
    async with asking(Flaky([(429, {"Retry-After": told})]).answer, retry=RETRY) as tool:
        assert (await check_result(tool, {})).structured == "ok"


@pytest.mark.parametrize("told", ["3600", "Wed, 21 Oct 2093 07:28:00 GMT"])
async def test_a_wait_beyond_the_deadline_is_not_begun(told: str) -> None:
    """When the server asks for more time than the call has, its answer is the result at once."""
    flaky = Flaky([(429, {"Retry-After": told})])
    async with asking(flaky.answer, retry=RETRY) as tool:
        failure = await check_failure(tool, {})
    assert (failure.code, failure.retryable, len(flaky.keys)) == ("http_status", True, 1)


@dataclass
class Guarded:
    """An API and its token server; only tokens in `good` are taken."""

    good: set[str]
    issued: int = 0
    seen: list[str] = field(default_factory=list)

    async def issue(self, _request: web.Request) -> web.Response:
        self.issued += 1
        return web.json_response({"access_token": f"token-{self.issued}", "expires_in": 3600})

    async def api(self, request: web.Request) -> web.Response:
        token = request.headers["Authorization"].removeprefix("Bearer ")
        self.seen.append(token)
        return web.json_response({"said": token}, status=200 if token in self.good else 401)


@asynccontextmanager
async def oauth(guarded: Guarded) -> AsyncIterator[Tool]:
    async with site({"/token": guarded.issue, "/": guarded.api}) as base:
        auth = {"type": "oauth2_client_credentials", "token_url": f"{base}/token", "client_id": "me"}
        body = {"description": "x", "request": {"url": f"{base}/"}, "auth": {**auth, "client_secret": "s3cret"}}
        async with opened(KIND, body) as tool:
            yield tool


async def test_a_token_is_fetched_once_and_kept() -> None:
    """Calls share the token, and what echoes it does not show it."""
    guarded = Guarded({"token-1"})
    async with oauth(guarded) as tool:
        assert (await check_result(tool, {})).structured == {"said": "[redacted]"}
        await check_result(tool, {})
    assert (guarded.issued, guarded.seen) == (1, ["token-1", "token-1"])


async def test_a_token_that_is_refused_is_replaced_once() -> None:
    """After a 401 there is one attempt with a fresh token, and no more."""
    revoked, closed = Guarded({"token-2"}), Guarded(set())
    async with oauth(revoked) as tool:
        await check_result(tool, {})
    async with oauth(closed) as tool:
        failure = await check_failure(tool, {})
    assert (revoked.seen, closed.seen) == (["token-1", "token-2"], ["token-1", "token-2"])
    assert (failure.code, failure.details) == ("http_status", {"status": 401})


async def test_a_token_that_cannot_be_had_is_an_auth_error() -> None:
    """The failure of the token server is told apart from that of the API."""
    auth = {"type": "oauth2_client_credentials", "token_url": "http://127.0.0.1:1/", "client_id": "me"}
    body = {"description": "x", "request": {"url": "http://127.0.0.1:1/"}, "auth": {**auth, "client_secret": "s3cret"}}
    async with opened(KIND, body) as tool:
        assert (await check_failure(tool, {})).code == "auth_error"
    async with opened(KIND, body, allow=("127.0.0.2",)) as tool:
        assert (await check_failure(tool, {})).code == "egress_refused"
