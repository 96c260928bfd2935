"""An identity provider on a real socket of this machine: it signs tokens, rotates its keys, and can be made to fail."""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import jwt
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import ec, rsa

AUDIENCE = "headgate-tests"


@dataclass(slots=True)
class SigningKey:
    """A private key and what is published of it."""

    kid: str
    algorithm: str
    private: Any = field(repr=False)

    @property
    def published(self) -> dict[str, Any]:
        """The public key as a JWK."""
        algorithms: Any = jwt.algorithms
        kind = algorithms.RSAAlgorithm if self.algorithm.startswith(("RS", "PS")) else algorithms.ECAlgorithm
        jwk: dict[str, Any] = kind.to_jwk(self.private.public_key(), as_dict=True)
        return {**jwk, "kid": self.kid, "use": "sig", "alg": self.algorithm}


def rsa_key(kid: str, algorithm: str = "RS256", size: int = 2048) -> SigningKey:
    """A fresh RSA key."""
    return SigningKey(kid, algorithm, rsa.generate_private_key(public_exponent=65537, key_size=size))


def ec_key(kid: str) -> SigningKey:
    """A fresh key on P-256."""
    return SigningKey(kid, "ES256", ec.generate_private_key(ec.SECP256R1()))


@dataclass(slots=True)
class Provider:
    """The provider: `keys` are published, the last one signs. `down` has it answer 503, `says` in its document."""

    url: str = ""
    keys: list[SigningKey] = field(default_factory=lambda: [rsa_key("one")])
    extra: list[dict[str, Any]] = field(default_factory=list)
    down: bool = False
    says: dict[str, Any] = field(default_factory=dict)
    looks: int = 0

    def token(self, subject: str = "ann", *, key: SigningKey | None = None, **claims: Any) -> str:
        """A token for the subject; a claim that is None is left out."""
        signing, now = key or self.keys[-1], int(time.time())
        body = {"iss": self.url, "aud": AUDIENCE, "sub": subject, "iat": now, "exp": now + 300, "scope": "gateway.use"}
        kept = {name: value for name, value in {**body, **claims}.items() if value is not None}
        return jwt.encode(kept, signing.private, algorithm=signing.algorithm, headers={"kid": signing.kid})

    async def discovery(self, _request: web.Request) -> web.Response:
        """The discovery document."""
        if self.down:
            return web.Response(status=503)
        return web.json_response({"issuer": self.url, "jwks_uri": f"{self.url}/keys", **self.says})

    async def published(self, _request: web.Request) -> web.Response:
        """The key set."""
        self.looks += 1
        if self.down:
            return web.Response(status=503)
        return web.json_response({"keys": [*(each.published for each in self.keys), *self.extra]})


@contextlib.asynccontextmanager
async def provider() -> AsyncIterator[Provider]:
    """A provider that answers on 127.0.0.1 until the block is left."""
    made = Provider()
    app = web.Application()
    app.router.add_get("/.well-known/openid-configuration", made.discovery)
    app.router.add_get("/keys", made.published)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = runner.addresses[0][1]
        made.url = f"http://127.0.0.1:{port}"
        yield made
    finally:
        await runner.cleanup()
