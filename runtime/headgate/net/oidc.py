"""Bearer tokens of an identity provider: JWTs (RFC 7519) whose keys it publishes (OpenID Connect Discovery 1.0,
RFC 7517).

Nothing in a token says how it is to be believed: the algorithm must be one that was allowed beforehand, all of which
are asymmetric, and the key one that the issuer publishes for signing.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx2
import jwt
import msgspec
import structlog

from headgate.core.errors import EgressRefused, ToolError, Unauthenticated, Unavailable
from headgate.net.client import exchange, read

log = structlog.get_logger("headgate.oidc")

FRESH = 600.0
"""Seconds for which published keys are believed without asking again."""
STALE = 86_400.0
"""Seconds for which they are still believed while the issuer does not answer."""
PAUSE = 10.0
"""Seconds between two looks, however many tokens name a key that nobody knows."""
LEEWAY = 60.0
"""Seconds by which the issuer's clock may be wrong."""
_LARGEST = 1 << 20
_LONGEST = 16_384
_TIMEOUT = 10.0
_SMALLEST_RSA = 2048
_REASONS: tuple[tuple[type[jwt.PyJWTError], str], ...] = (
    (jwt.ExpiredSignatureError, "the token has expired"),
    (jwt.ImmatureSignatureError, "the token is not valid yet"),
    (jwt.InvalidAudienceError, "the token is for another audience"),
    (jwt.InvalidIssuerError, "the token is from another issuer"),
    (jwt.MissingRequiredClaimError, "the token lacks a claim that it must have: iss, aud, exp or sub"),
)


def looks_like_token(credential: str) -> bool:
    """Whether the credential has the form of a signed JWT."""
    return credential.count(".") == 2 and credential.startswith("ey")


@dataclass(frozen=True, slots=True)
class _Published:
    """What the issuer published, and when it was read, on the monotonic clock."""

    keys: tuple[Mapping[str, Any], ...]
    at: float


@dataclass(slots=True)
class Issuer:
    """One identity provider, as this gateway trusts it. `algorithms` are those that its tokens may be signed with."""

    url: str
    audience: str
    algorithms: Sequence[str]
    clock: Callable[[], float] = time.monotonic
    _held: _Published | None = field(default=None, init=False)
    _looked: float | None = field(default=None, init=False)
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock, init=False)

    async def claims(self, token: str, http: httpx2.AsyncClient) -> dict[str, Any]:
        """The claims of a token that is the issuer's, for this audience, and valid now; raises `Unauthenticated` with
        the reason, and `Unavailable` when the keys cannot be had."""
        if len(token) > _LONGEST:
            raise _refused("the token is too long")
        header = _header(token)
        algorithm, kid = header.get("alg"), header.get("kid")
        if not isinstance(algorithm, str) or algorithm not in self.algorithms:
            raise _refused(f"the token must be signed with {' or '.join(self.algorithms)}")
        if header.get("crit"):
            raise _refused("the token wants something of its reader that this one does not know (crit)")
        for jwk in await self._keys(kid, http):
            found = self._verified(token, jwk, algorithm)
            if found is not None:
                return found
        raise _refused("the token is not signed with a key that the issuer publishes")

    def _verified(self, token: str, jwk: Mapping[str, Any], algorithm: str) -> dict[str, Any] | None:
        """The claims, None when the token is not signed with this key; raises `Unauthenticated`."""
        if jwk.get("alg") not in (None, algorithm):
            return None
        try:
            key = jwt.PyJWK(dict(jwk), algorithm=algorithm)
        except (jwt.PyJWTError, ValueError, TypeError):
            return None
        if getattr(key.key, "key_size", _SMALLEST_RSA) < _SMALLEST_RSA and jwk.get("kty") == "RSA":
            raise _refused("the issuer's key is too short")
        try:
            found: dict[str, Any] = jwt.decode(
                token, key, algorithms=[algorithm], audience=self.audience, issuer=self.url, leeway=LEEWAY,
                options={"require": ["exp", "iss", "aud", "sub"], "strict_aud": False},
            )  # fmt: skip
        except jwt.InvalidSignatureError:
            return None
        except jwt.PyJWTError as error:
            said = next((text for kind, text in _REASONS if isinstance(error, kind)), "the token is not valid")
            raise _refused(said) from None
        except (ValueError, TypeError, OverflowError):
            raise _refused("the token is not valid") from None
        return found

    async def _keys(self, kid: object, http: httpx2.AsyncClient) -> list[Mapping[str, Any]]:
        """The published keys that the token may be signed with: that of its `kid`, or without one any."""
        held = self._held
        if held is None or self.clock() - held.at > FRESH or not _named(held, kid):
            held = await self._look(kid, http)
        return _named(held, kid)

    async def _look(self, kid: object, http: httpx2.AsyncClient) -> _Published:
        """Reads the keys anew, unless somebody has just done so."""
        async with self._turn:
            held, now = self._held, self.clock()
            known = held is not None and now - held.at <= FRESH and bool(_named(held, kid))
            paused = self._looked is not None and now - self._looked < PAUSE
            if held is not None and (known or paused):
                return held
            if paused:
                raise _unreachable()
            self._looked = now
            try:
                self._held = _Published(await self._fetch(http), now)
            except _FAULTS as error:
                log.warning("oidc.unreachable", issuer=self.url, reason=str(error) or type(error).__name__)
                if held is None or now - held.at > STALE:
                    raise _unreachable() from None
                return held
            return self._held

    async def _fetch(self, http: httpx2.AsyncClient) -> tuple[Mapping[str, Any], ...]:
        async with asyncio.timeout(_TIMEOUT):
            document = await _json(http, f"{self.url.rstrip('/')}/.well-known/openid-configuration")
            if document.get("issuer") != self.url:
                raise ValueError(f"the discovery document is of issuer {document.get('issuer')!r}")
            published = await _json(http, str(document.get("jwks_uri")))
        keys = published.get("keys")
        if not isinstance(keys, list):
            raise ValueError("the key set has no keys")
        # A symmetric key in a public set, or one for encryption, is for nobody's signatures.
        return tuple(
            each
            for each in keys
            if isinstance(each, dict) and each.get("kty") in ("RSA", "EC", "OKP") and each.get("use", "sig") == "sig"
        )


_FAULTS = (httpx2.HTTPError, httpx2.InvalidURL, EgressRefused, ToolError, TimeoutError, ValueError)


async def _json(http: httpx2.AsyncClient, url: str) -> dict[str, Any]:
    async with exchange(http, http.build_request("GET", url, headers={"accept": "application/json"})) as answer:
        if answer.status_code != 200:
            raise ValueError(f"{url} answered {answer.status_code}")
        found = msgspec.json.decode(await read(answer, _LARGEST))
    if not isinstance(found, dict):
        raise ValueError(f"{url} is no JSON object")
    return found


def _named(held: _Published, kid: object) -> list[Mapping[str, Any]]:
    return [each for each in held.keys if kid is None or each.get("kid") == kid]


def _header(token: str) -> dict[str, Any]:
    try:
        return dict(jwt.get_unverified_header(token))
    except (jwt.PyJWTError, ValueError, TypeError, RecursionError):
        raise _refused("the token is not a signed JWT") from None


def _refused(said: str) -> Unauthenticated:
    return Unauthenticated(said, code="invalid_token")


def _unreachable() -> Unavailable:
    said = "the identity provider does not say which keys it signs with; try again"
    return Unavailable(said, code="issuer_unreachable", details={"retry_after": int(PAUSE)})
