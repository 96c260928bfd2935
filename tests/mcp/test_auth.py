"""Credentials of MCP servers, against a token server and an MCP server that are real."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from headgate.core.errors import ToolError
from headgate.mcp.asking import Asking
from headgate.mcp.auth_google import GRANT
from headgate.mcp.upstream import Upstream
from tests.mcp.guarded import Guarded, connected, guarded


@pytest.fixture
async def house() -> AsyncIterator[Guarded]:
    async with guarded() as made:
        yield made


@pytest.fixture(scope="module")
def key() -> RSAPrivateKey:
    return generate_private_key(65537, 2048)


def oauth2(house: Guarded, **keys: Any) -> dict[str, Any]:
    """Client credentials at the token server."""
    own = {"type": "oauth2_client_credentials", "token_url": house.token_url, "client_id": "me"}
    return {**own, "client_secret": "s3cret", **keys}


async def whoami(upstream: Upstream) -> str:
    """The Authorization header that a call came with."""
    deadline = asyncio.get_running_loop().time() + 10
    result = await upstream.call("whoami", {}, Asking(deadline))
    return str(result.content[0].text)


async def test_fixed_credentials_are_sent_with_every_request(house: Guarded) -> None:
    """A bearer token and a key in a header arrive as they stand in the manifest."""
    house.good = {"Bearer fixed", ""}
    async with connected(house.mcp_url, {"type": "bearer", "token": "fixed"}) as upstream:
        assert await whoami(upstream) == "Bearer fixed"
    assert set(house.seen) == {"Bearer fixed"}
    house.headers.clear()
    async with connected(house.mcp_url, {"type": "api_key", "header": "X-Own", "key": "k1"}) as upstream:
        assert await whoami(upstream) == ""
    assert {each.get("X-Own") for each in house.headers} == {"k1"}


async def test_a_token_is_fetched_once_and_kept(house: Guarded) -> None:
    """Many calls at a time, over several requests, cost one token; one that lives five minutes is kept too."""
    house.lifetime = 300
    async with connected(house.mcp_url, oauth2(house, scopes=["a", "b"], extra_params={"audience": "x"})) as upstream:
        came = await asyncio.gather(*(whoami(upstream) for _ in range(20)))
    assert set(came) == {"Bearer t1"}
    expected = {"grant_type": "client_credentials", "client_id": "me", "client_secret": "s3cret"}
    assert house.forms == [{**expected, "scope": "a b", "audience": "x"}]


async def test_a_token_that_was_revoked_is_replaced_within_the_call(house: Guarded) -> None:
    """A call that is answered 401 is made again with a fresh token, once."""
    async with connected(house.mcp_url, oauth2(house)) as upstream:
        assert await whoami(upstream) == "Bearer t1"
        house.good.clear()
        assert await asyncio.gather(*(whoami(upstream) for _ in range(5))) == ["Bearer t2"] * 5
    assert len(house.forms) == 2


async def test_a_server_that_takes_no_token_is_an_auth_error(house: Guarded) -> None:
    """Two refusals end the call, and further calls do not each ask for a token."""
    async with connected(house.mcp_url, oauth2(house)) as upstream:
        await whoami(upstream)
        house.takes = False
        for _ in range(3):
            with pytest.raises(ToolError) as caught:
                await whoami(upstream)
            assert caught.value.code == "auth_error"
    assert len(house.forms) == 2


async def test_a_token_that_cannot_be_replaced_is_an_auth_error(house: Guarded) -> None:
    """A call whose token is refused while the token server is down says what that answered."""
    async with connected(house.mcp_url, oauth2(house)) as upstream:
        await whoami(upstream)
        house.good.clear()
        house.status = 503
        with pytest.raises(ToolError) as caught:
            await whoami(upstream)
    assert caught.value.code == "auth_error"
    assert "the token server answered 503 (temporarily_unavailable)" in caught.value.message


async def test_a_wrong_secret_is_an_auth_error_that_shows_no_secret(house: Guarded) -> None:
    """The error has the code of the token server, and nothing else of its words."""
    house.secret = "another"
    async with connected(house.mcp_url, oauth2(house)) as upstream:
        error = await upstream.warm(5)
    assert error is not None
    assert error.code == "auth_error"
    assert error.message == "the token server answered 401 (invalid_client)"
    assert house.seen == []


async def test_a_secret_that_was_rotated_ends_the_failure(house: Guarded) -> None:
    """With the new secret, which re-opens the server, calls work."""
    house.secret = "new"
    async with connected(house.mcp_url, oauth2(house)) as upstream:
        assert await upstream.warm(5) is not None
    async with connected(house.mcp_url, oauth2(house, client_secret="new")) as upstream:
        assert (await whoami(upstream)).startswith("Bearer t")


async def test_a_token_server_that_is_down_for_a_moment(house: Guarded) -> None:
    """The connection is made again, with pauses, and the call waits for it."""
    house.status = 503
    async with connected(house.mcp_url, oauth2(house)) as upstream:
        error = await upstream.warm(5)
        assert error is not None
        assert error.message == "the token server answered 503 (temporarily_unavailable)"
        house.status = 200
        assert (await whoami(upstream)).startswith("Bearer t")


async def test_no_token_travels_to_another_origin(house: Guarded) -> None:
    """A server that redirects elsewhere gets no credential there, nor an answer."""
    async with guarded() as other:
        other.good = {"Bearer fixed", ""}
        house.redirect = other.mcp_url
        async with connected(house.mcp_url, {"type": "bearer", "token": "fixed"}) as upstream:
            assert await upstream.warm(5) is not None
        assert "Bearer fixed" not in other.seen


async def test_a_google_service_account_signs_its_grant(house: Guarded, key: RSAPrivateKey) -> None:
    """The assertion names account, scopes and token server, and the account's key signed it."""
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    body = {"type": "service_account", "client_email": "gate@example.iam", "private_key": pem, "private_key_id": "k7"}
    content = json.dumps({**body, "token_uri": house.token_url})
    auth = {"type": "google_service_account", "service_account_json": content, "scopes": ["read", "write"]}
    async with connected(house.mcp_url, auth) as upstream:
        assert await whoami(upstream) == "Bearer t1"
    assert house.forms[0]["grant_type"] == GRANT
    assertion = house.forms[0]["assertion"]
    claims = jwt.decode(assertion, key.public_key(), ["RS256"], audience=house.token_url)
    assert (claims["iss"], claims["scope"], claims["exp"] - claims["iat"]) == ("gate@example.iam", "read write", 3600)
    assert jwt.get_unverified_header(assertion)["kid"] == "k7"


async def test_a_program_prints_the_token(house: Guarded, tmp_path: Path) -> None:
    """It runs in the tree's folder with an allow-listed environment, and once while its token is good."""
    house.good = {"Bearer printed"}
    script = "import json, os; open('env', 'a').write(' '.join(sorted(os.environ)) + '\\n')"
    printed = "print(json.dumps({'token': 'printed', 'expires_in': 600}))"
    auth = {"type": "command", "argv": [sys.executable, "-c", f"{script}; {printed}"]}
    async with connected(house.mcp_url, auth, root=tmp_path) as upstream:
        assert await asyncio.gather(whoami(upstream), whoami(upstream)) == ["Bearer printed"] * 2
    runs = (tmp_path / "env").read_text().splitlines()
    assert len(runs) == 1
    assert set(runs[0].split()) <= {"PATH", "LC_CTYPE", "__CF_USER_TEXT_ENCODING"}


async def test_a_program_that_fails_is_an_auth_error(house: Guarded, tmp_path: Path) -> None:
    """What it printed is not shown."""
    program = "import sys; print('s3cret'); sys.exit(3)"
    auth = {"type": "command", "argv": [sys.executable, "-c", program]}
    async with connected(house.mcp_url, auth, root=tmp_path) as upstream:
        error = await upstream.warm(10)
    assert error is not None
    assert (error.code, error.message) == ("auth_error", f"{sys.executable} ended with status 3")
