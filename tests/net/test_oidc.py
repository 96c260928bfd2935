"""Tokens of an identity provider: what is believed, and all that is not, against a real provider on this machine."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import httpx2
import jwt
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from headgate.core.errors import Unauthenticated, Unavailable
from headgate.net.client import open_client
from headgate.net.egress import Egress
from headgate.net.oidc import FRESH, PAUSE, STALE, Issuer
from headgate.testing.oidc_issuer import AUDIENCE, Provider, ec_key, provider, rsa_key


@dataclass
class Desk:
    """A provider, and who checks its tokens at a time that the test sets."""

    at: Provider
    http: httpx2.AsyncClient
    now: float = 1000.0
    issuer: Issuer = field(init=False)

    def __post_init__(self) -> None:
        self.issuer = Issuer(self.at.url, AUDIENCE, ("RS256", "ES256"), clock=lambda: self.now)

    async def subject(self, token: str) -> str:
        """Whom the token speaks of."""
        return str((await self.issuer.claims(token, self.http))["sub"])

    async def refused(self, token: str) -> str:
        """Why the token is not believed."""
        with pytest.raises(Unauthenticated) as caught:
            await self.issuer.claims(token, self.http)
        assert caught.value.code == "invalid_token"
        return caught.value.message


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    """A desk whose client may reach this machine."""
    async with provider() as made, open_client(Egress(("127.0.0.1",))) as http:
        yield Desk(made, http)


def raw(header: dict[str, Any], body: dict[str, Any], signature: bytes = b"") -> str:
    """A token put together by hand."""
    parts = [json.dumps(each).encode() for each in (header, body)] + [signature]
    return ".".join(base64.urlsafe_b64encode(each).rstrip(b"=").decode() for each in parts)


async def test_good_tokens(desk: Desk) -> None:
    """RSA and elliptic keys, several audiences, a clock that is a little wrong; the keys are read once for all."""
    desk.at.keys.append(ec_key("two"))
    now = int(time.time())
    for token in (
        desk.at.token(),
        desk.at.token(key=desk.at.keys[0]),
        desk.at.token(aud=["other", AUDIENCE]),
        desk.at.token(exp=now - 30),
        desk.at.token(nbf=now + 30, iat=now + 30),
    ):
        assert await desk.subject(token) == "ann"
    assert desk.at.looks == 1


CLAIMS: list[tuple[dict[str, Any], str]] = [
    ({"exp": 1}, "expired"),
    ({"nbf": 9_999_999_999}, "not valid yet"),
    ({"aud": "somebody-else"}, "another audience"),
    ({"aud": None}, "lacks a claim"),
    ({"iss": "https://evil.example"}, "another issuer"),
    ({"iss": None}, "lacks a claim"),
    ({"exp": None}, "lacks a claim"),
    ({"sub": None}, "lacks a claim"),
    ({"exp": "tomorrow"}, "not valid"),
    ({"sub": 7}, "not valid"),
]


@pytest.mark.parametrize(("claims", "said"), CLAIMS)
async def test_claims(desk: Desk, claims: dict[str, Any], said: str) -> None:
    """Each claim is checked, and the refusal says which."""
    assert said in await desk.refused(desk.at.token(**claims))


async def test_no_signature_and_no_symmetric_one(desk: Desk) -> None:
    """`none` is no algorithm, and the public key is no secret to sign with, also when the key set offers one."""
    body = {"iss": desk.at.url, "aud": AUDIENCE, "sub": "ann", "exp": int(time.time()) + 300}
    public = desk.at.keys[0].private.public_key()
    secret = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    for alg in ("none", "None", "NONE", ""):
        assert "must be signed with RS256 or ES256" in await desk.refused(raw({"alg": alg, "kid": "one"}, body))
    head = raw({"alg": "HS256", "kid": "one", "typ": "JWT"}, body).rpartition(".")[0]
    mac = hmac.new(secret, head.encode(), hashlib.sha256).digest()
    confused = f"{head}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"
    assert "must be signed with" in await desk.refused(confused)
    desk.at.extra = [{"kty": "oct", "kid": "sym", "k": "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LTEyMzQ"}]
    symmetric = jwt.encode(body, b"secret-secret-secret-secret-1234", algorithm="HS256", headers={"kid": "sym"})
    assert "must be signed with" in await desk.refused(symmetric)


async def test_forged_tokens(desk: Desk) -> None:
    """Another's key under a known name, a key of one's own in the header, changed claims, and nonsense are refused."""
    thief = rsa_key("one")
    assert "not signed with a key" in await desk.refused(desk.at.token(key=thief))
    own = jwt.encode(
        {"iss": desk.at.url, "aud": AUDIENCE, "sub": "ann", "exp": int(time.time()) + 300},
        thief.private, algorithm="RS256",
        headers={"kid": "one", "jwk": thief.published, "jku": "http://127.0.0.1:1/keys"},
    )  # fmt: skip
    assert "not signed with a key" in await desk.refused(own)
    head, _, signature = desk.at.token().split(".")
    other = desk.at.token("root").split(".")[1]
    assert "not signed with a key" in await desk.refused(f"{head}.{other}.{signature}")
    unsigned = rsa_key("no-kid")
    nameless = jwt.encode({"sub": "ann"}, unsigned.private, algorithm="RS256")
    assert "not signed with a key" in await desk.refused(nameless)
    for nonsense in ("eyJ.eyJ.x", "ey..", "eyJhbGciOiJSUzI1NiJ9.e30.", "e" * 20_000):
        assert await desk.refused(nonsense)
    crit = jwt.encode({"sub": "x"}, thief.private, algorithm="RS256", headers={"crit": ["exp"], "exp": 1})
    assert await desk.refused(crit)


@pytest.mark.filterwarnings("ignore::jwt.warnings.InsecureKeyLengthWarning")
async def test_keys_for_something_else(desk: Desk) -> None:
    """A key for encryption, one for another algorithm, and a short RSA key sign nothing that is believed."""
    small = rsa_key("small", size=1024)
    desk.at.keys.append(small)
    assert await desk.refused(desk.at.token(key=small))
    lock = rsa_key("lock")
    desk.at.extra = [{**lock.published, "use": "enc"}, {**lock.published, "kid": "pss", "alg": "PS256"}]
    desk.now += FRESH + 1
    assert "not signed with a key" in await desk.refused(desk.at.token(key=lock))
    lock.kid = "pss"
    assert "not signed with a key" in await desk.refused(desk.at.token(key=lock))


async def test_rotation(desk: Desk) -> None:
    """A key that nobody knows is looked for, but not by every forged token; one that is gone is believed no longer."""
    old = desk.at.keys[0]
    await desk.subject(desk.at.token())
    desk.at.keys = [rsa_key("new")]
    fresh = desk.at.token()
    assert "not signed with a key" in await desk.refused(fresh)  # looked just now
    desk.now += PAUSE
    assert await desk.subject(fresh) == "ann"
    assert desk.at.looks == 2
    for n in range(20):
        await desk.refused(desk.at.token(key=rsa_key(f"forged-{n % 2}")))
    assert desk.at.looks == 2
    assert "not signed with a key" in await desk.refused(desk.at.token(key=old))


async def test_a_provider_that_does_not_answer(desk: Desk) -> None:
    """Known keys are good for a day without it; without any it is the gateway that cannot say, not the token."""
    desk.at.down = True
    with pytest.raises(Unavailable) as caught:
        await desk.subject(desk.at.token())
    assert caught.value.code == "issuer_unreachable"
    desk.at.down = False
    with pytest.raises(Unavailable):
        await desk.subject(desk.at.token())  # not asked again at once
    desk.now += PAUSE
    assert await desk.subject(desk.at.token()) == "ann"
    desk.at.down = True
    desk.now += FRESH + 1
    assert await desk.subject(desk.at.token()) == "ann"
    desk.now += STALE
    with pytest.raises(Unavailable):
        await desk.subject(desk.at.token())


@pytest.mark.parametrize(
    "says", [{"issuer": "https://evil.example"}, {"jwks_uri": "http://169.254.169.254/keys"}, {"jwks_uri": None}]
)
async def test_a_document_that_lies(desk: Desk, says: dict[str, Any]) -> None:
    """A document of another issuer, and keys at an address that the egress guard refuses, are not believed."""
    desk.at.says = says
    with pytest.raises(Unavailable):
        await desk.subject(desk.at.token())
