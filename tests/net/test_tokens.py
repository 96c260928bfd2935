"""OAuth2 client credentials: caching, early refresh, failures."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web

from headgate.core.errors import EgressRefused, ToolError
from headgate.net.client import open_client
from headgate.net.egress import Egress
from headgate.net.tokens import ClientCredentials, Grant
from headgate.testing.tool_kit import site


@dataclass
class Issuer:
    """A token server: counts what it is asked, and answers what it is told."""

    url: str = ""
    forms: list[dict[str, str]] = field(default_factory=list)
    status: int = 200
    answer: Any = None
    lifetime: Any = 100
    now: float = 0.0

    async def issue(self, request: web.Request) -> web.Response:
        self.forms.append({name: str(value) for name, value in (await request.post()).items()})
        token = {"access_token": f"t{len(self.forms)}", "token_type": "Bearer", "expires_in": self.lifetime}
        if isinstance(self.answer, bytes):
            return web.Response(body=self.answer, status=self.status)
        return web.json_response(token if self.answer is None else self.answer, status=self.status)


@pytest.fixture
async def issuer() -> AsyncIterator[Issuer]:
    made = Issuer()
    async with site({"/token": made.issue}) as url:
        made.url = f"{url}/token"
        yield made


@pytest.fixture
async def source(issuer: Issuer) -> AsyncIterator[ClientCredentials]:
    grant = Grant(issuer.url, "me", "s3cret", ("read", "write"), {"audience": "crm"})
    async with open_client(Egress(("127.0.0.1",))) as client:
        yield ClientCredentials(client, grant, clock=lambda: issuer.now)


async def test_the_grant_is_asked_for_as_the_rfc_says(issuer: Issuer, source: ClientCredentials) -> None:
    """The form has grant type, client, scopes and the extra fields."""
    assert await source.token() == "t1"
    expected = {"grant_type": "client_credentials", "client_id": "me", "client_secret": "s3cret"}
    assert issuer.forms == [{**expected, "scope": "read write", "audience": "crm"}]


async def test_a_token_is_kept_until_shortly_before_its_end(issuer: Issuer, source: ClientCredentials) -> None:
    """A fifth of a short life before its end, the token is replaced."""
    await source.token()
    issuer.now = 79.0
    assert await source.token() == "t1"
    issuer.now = 80.0
    assert await source.token() == "t2"


@pytest.mark.parametrize(
    ("lifetime", "last"), [(36000, 35939.0), ("100", 79.0), (None, 3539.0), ("soon", 3539.0), (-5, 3539.0)]
)
async def test_lifetimes(issuer: Issuer, source: ClientCredentials, lifetime: Any, last: float) -> None:
    """Long-lived tokens are replaced a minute early; one of unknown life is taken to live an hour."""
    issuer.lifetime = lifetime
    await source.token()
    issuer.now = last
    assert await source.token() == "t1"
    issuer.now = last + 1
    assert await source.token() == "t2"


async def test_one_request_serves_all_who_wait(issuer: Issuer, source: ClientCredentials) -> None:
    """Concurrent calls share one token request."""
    tokens = await asyncio.gather(*(source.token() for _ in range(20)))
    assert (set(tokens), len(issuer.forms)) == ({"t1"}, 1)


async def test_a_rejected_token_is_replaced_once(issuer: Issuer, source: ClientCredentials) -> None:
    """A token that the server did not take is fetched anew, but only the one that is in use."""
    await source.token()
    source.reject("another")
    assert await source.token() == "t1"
    source.reject("t1")
    assert await source.token() == "t2"


@pytest.mark.parametrize(
    ("status", "answer", "message", "retryable"),
    [
        (400, {"error": "invalid_client", "error_description": "s3cret is wrong"}, "400 (invalid_client)", False),
        (401, {"error": "<b>s3cret</b>"}, "the token server answered 401", False),
        (503, "down", "the token server answered 503", True),
        (200, {"token_type": "Bearer"}, "no usable access_token", False),
        (200, {"access_token": "a\nb"}, "no usable access_token", False),
        (200, {"access_token": "t", "token_type": "mac"}, "not a bearer token", False),
        (200, ["t"], "no usable access_token", False),
        (200, b'{"access_token": "\xff"}', "no usable access_token", False),
    ],
)
async def test_failures_are_auth_errors(
    issuer: Issuer, source: ClientCredentials, status: int, answer: Any, message: str, retryable: bool
) -> None:
    """Whatever goes wrong is an `auth_error` that tells no secret."""
    issuer.status, issuer.answer = status, answer
    with pytest.raises(ToolError) as caught:
        await source.token()
    assert (caught.value.code, caught.value.retryable) == ("auth_error", retryable)
    assert message in caught.value.message
    assert "s3cret" not in str(caught.value)


async def test_an_unreachable_server_is_an_auth_error() -> None:
    """A lost connection may be tried again; a refused address is the guard's own error."""
    async with open_client(Egress(("127.0.0.1:1",))) as client:
        with pytest.raises(ToolError, match="could not be reached"):
            await ClientCredentials(client, Grant("http://127.0.0.1:1/", "me", "s3cret")).token()
        with pytest.raises(EgressRefused):
            await ClientCredentials(client, Grant("http://127.0.0.2:1/", "me", "s3cret")).token()


def test_a_grant_does_not_show_its_secret() -> None:
    """The secret is not part of the representation."""
    assert "s3cret" not in repr(Grant("https://x", "me", "s3cret"))
