"""OAuth2 client credentials: caching, early refresh, failures."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web

from headgate.core.errors import EgressRefused, ToolError
from headgate.net.client import open_client
from headgate.net.egress import Egress
from headgate.net.oauth import ClientCredentials, client_credentials
from headgate.net.tokens import LONGEST_PAUSE, Token, TokenSource
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
    authorization: str = ""

    async def issue(self, request: web.Request) -> web.Response:
        self.authorization = request.headers.get("Authorization", "")
        self.forms.append({name: str(value) for name, value in (await request.post()).items()})
        token = {"access_token": f"t{len(self.forms)}", "token_type": "Bearer", "expires_in": self.lifetime}
        if isinstance(self.answer, bytes):
            return web.Response(body=self.answer, status=self.status)
        return web.json_response(token if self.answer is None else self.answer, status=self.status)


def spec_for(url: str, **keys: Any) -> ClientCredentials:
    """The credentials `me` and `s3cret`."""
    given = {"type": "oauth2_client_credentials", "token_url": url, "client_id": "me", "client_secret": "s3cret"}
    return ClientCredentials.model_validate({**given, **keys})


@pytest.fixture
async def issuer() -> AsyncIterator[Issuer]:
    made = Issuer()
    async with site({"/token": made.issue}) as url:
        made.url = f"{url}/token"
        yield made


@pytest.fixture
async def source(issuer: Issuer) -> AsyncIterator[TokenSource]:
    spec = spec_for(issuer.url, scopes=("read", "write"), extra_params={"audience": "crm"})
    async with open_client(Egress(("127.0.0.1",))) as client:
        yield TokenSource(client_credentials(client, spec), clock=lambda: issuer.now)


async def test_the_grant_is_asked_for_as_the_rfc_says(issuer: Issuer, source: TokenSource) -> None:
    """The form has grant type, client, scopes and the extra fields."""
    assert await source.token() == "t1"
    expected = {"grant_type": "client_credentials", "client_id": "me", "client_secret": "s3cret"}
    assert issuer.forms == [{**expected, "scope": "read write", "audience": "crm"}]


async def test_a_token_is_kept_until_shortly_before_its_end(issuer: Issuer, source: TokenSource) -> None:
    """A fifth of a short life before its end, the token is replaced."""
    await source.token()
    issuer.now = 79.0
    assert await source.token() == "t1"
    issuer.now = 80.0
    assert await source.token() == "t2"


@pytest.mark.parametrize(
    ("lifetime", "last"),
    [(36000, 35699.0), (300, 239.0), ("100", 79.0), (None, 3299.0), ("soon", 3299.0), (-5, 3299.0)],
)
async def test_lifetimes(issuer: Issuer, source: TokenSource, lifetime: Any, last: float) -> None:
    """Long-lived tokens go five minutes early, others at a fifth of their life; an unknown life is an hour."""
    issuer.lifetime = lifetime
    await source.token()
    issuer.now = last
    assert await source.token() == "t1"
    issuer.now = last + 1
    assert await source.token() == "t2"


async def test_one_request_serves_all_who_wait(issuer: Issuer, source: TokenSource) -> None:
    """Concurrent calls share one token request."""
    tokens = await asyncio.gather(*(source.token() for _ in range(20)))
    assert (set(tokens), len(issuer.forms)) == ({"t1"}, 1)


async def test_a_rejected_token_is_replaced_once(issuer: Issuer, source: TokenSource) -> None:
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
    issuer: Issuer, source: TokenSource, status: int, answer: Any, message: str, retryable: bool
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
            await client_credentials(client, spec_for("http://127.0.0.1:1/"))()
        with pytest.raises(EgressRefused):
            await client_credentials(client, spec_for("http://127.0.0.2:1/"))()


async def test_a_client_may_authenticate_in_a_header(issuer: Issuer) -> None:
    """With `basic`, id and secret are form-encoded in the Authorization header, and not in the form."""
    spec = spec_for(issuer.url, client_id="a:b", client_secret="s 3+cret", auth_method="basic")
    async with open_client(Egress(("127.0.0.1",))) as client:
        await client_credentials(client, spec)()
    assert issuer.forms == [{"grant_type": "client_credentials"}]
    assert base64.b64decode(issuer.authorization.removeprefix("Basic ")) == b"a%3Ab:s+3%2Bcret"


async def test_extra_fields_do_not_replace_those_of_the_grant(issuer: Issuer) -> None:
    """What the gateway sends by itself wins over `extra_params`."""
    async with open_client(Egress(("127.0.0.1",))) as client:
        await client_credentials(client, spec_for(issuer.url, extra_params={"grant_type": "password"}))()
    assert issuer.forms[0]["grant_type"] == "client_credentials"


async def test_a_failure_holds_off_the_next_request(issuer: Issuer, source: TokenSource) -> None:
    """After a failure the same failure is told without asking, for longer after each."""
    issuer.status, issuer.answer = 400, {"error": "invalid_client"}
    for moment, asked in ((0.0, 1), (0.4, 1), (0.5, 2), (1.4, 2), (1.5, 3), (1.5 + LONGEST_PAUSE, 4)):
        issuer.now = moment
        with pytest.raises(ToolError, match="invalid_client"):
            await source.token()
        assert len(issuer.forms) == asked, moment


async def test_a_server_that_is_well_again_is_asked_at_once(issuer: Issuer, source: TokenSource) -> None:
    """A success ends the pauses."""
    issuer.status = 503
    with pytest.raises(ToolError):
        await source.token()
    issuer.status, issuer.now = 200, 1.0
    assert await source.token() == "t2"
    issuer.now = 81.0
    issuer.status = 503
    assert await source.token() == "t2"
    issuer.status, issuer.now = 200, 81.5
    assert await source.token() == "t4"


async def test_a_token_that_cannot_be_replaced_early_is_used_to_its_end(issuer: Issuer, source: TokenSource) -> None:
    """A token server that is down for a while is not noticed while the token is good."""
    await source.token()
    issuer.status, issuer.now = 503, 85.0
    assert await source.token() == "t1"
    issuer.now = 100.0
    with pytest.raises(ToolError, match="503"):
        await source.token()


async def test_a_server_that_takes_no_token_does_not_make_a_request_a_call(issuer: Issuer, source: TokenSource) -> None:
    """The replacement of a rejected token is not replaced again at once."""
    assert source.reject(await source.token())
    assert await source.token() == "t2"
    assert not source.reject("t2")
    assert await source.token() == "t2"
    issuer.now = 11.0
    assert source.reject("t2")
    assert await source.token() == "t3"


def test_a_token_is_not_shown() -> None:
    """The token is not part of its representation."""
    assert "s3cret" not in repr(Token("s3cret"))
