"""Session tokens: JWTs (RFC 7519, HS256) that point at a session and carry no right of their own."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import jwt

from headgate.core.errors import Unauthenticated
from headgate.stores.records import SessionRecord

_REMEMBERED = 4_096
_LONGEST = 4_096
"""Characters of a token: ours have fewer than 300."""
_ALGORITHM = "HS256"


class Tokens:
    """Signs and reads session tokens. Verified tokens are remembered, because verifying costs more than a look-up."""

    def __init__(self, secret: Callable[[], str], clock: Callable[[], float] = time.time) -> None:
        """`secret` gives the one that signs now; tokens of another one are not valid any more."""
        self._secret = secret
        self._clock = clock
        self._verified: OrderedDict[tuple[str, str], tuple[str, str, int]] = OrderedDict()

    def sign(self, session: SessionRecord) -> str:
        """The token of a session."""
        claims = {
            "session_id": session.id,
            "api_key_hash": session.key_digest[:16],
            "created_at": int(session.created_at),
            "expires_at": int(session.expires_at),
        }
        return jwt.encode(claims, self._secret(), algorithm=_ALGORITHM)

    def read(self, header: str | None) -> tuple[str, str]:
        """Session id and key hash of an `Authorization` header; raises `Unauthenticated` with the contract's words."""
        if header is None or not header.startswith("Bearer ") or len(header) == len("Bearer "):
            raise Unauthenticated("Missing Authorization header")
        token = header.removeprefix("Bearer ")
        secret = self._secret()
        claims = self._verified.get((secret, token)) or self._verify(secret, token)
        if self._clock() >= claims[2]:
            raise Unauthenticated("Session expired")
        return claims[0], claims[1]

    def _verify(self, secret: str, token: str) -> tuple[str, str, int]:
        if len(token) > _LONGEST:
            raise Unauthenticated("Invalid session token")
        try:
            payload = jwt.decode(token, secret, algorithms=[_ALGORITHM])
        except (jwt.PyJWTError, ValueError, TypeError, RecursionError):
            raise Unauthenticated("Invalid session token") from None
        claims = _claims(payload)
        self._verified[secret, token] = claims
        if len(self._verified) > _REMEMBERED:
            self._verified.popitem(last=False)
        return claims


def _claims(payload: dict[str, Any]) -> tuple[str, str, int]:
    session, digest, expires = (payload.get(name) for name in ("session_id", "api_key_hash", "expires_at"))
    if not session or not digest or not expires:
        raise Unauthenticated("Invalid session payload")
    try:
        return str(session), str(digest), int(expires)
    except (TypeError, ValueError, OverflowError):
        raise Unauthenticated("Invalid session payload") from None
