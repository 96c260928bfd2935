"""OAuth2 client credentials (RFC 6749 §4.4): a cached access token, refreshed early and by one request at a time."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx2
import msgspec

from headgate.core.errors import EgressRefused, ToolError
from headgate.net.client import exchange, read_start

DEFAULT_LIFETIME = 3600.0
"""Seconds a token is taken to live when the server does not say."""
EARLY = 60.0
"""Seconds before its end at which a token is replaced, at most; short-lived ones at a fifth of their life."""
_MAX_ANSWER = 64 * 1024
_ERROR_CODE = re.compile(r"[A-Za-z0-9_.-]{1,64}")


@dataclass(frozen=True, slots=True)
class Grant:
    """What is asked for; `extra` are further form fields, such as `audience`."""

    token_url: str
    client_id: str
    client_secret: str = field(repr=False)
    scopes: Sequence[str] = ()
    extra: Mapping[str, str] = field(default_factory=dict)

    @property
    def form(self) -> dict[str, str]:
        """The form fields of the token request; the client authenticates in the body (RFC 6749 §2.3.1)."""
        own = {"grant_type": "client_credentials", "client_id": self.client_id, "client_secret": self.client_secret}
        scope = {"scope": " ".join(self.scopes)} if self.scopes else {}
        return {**self.extra, **scope, **own}


class ClientCredentials:
    """A source of access tokens; `clock` counts seconds."""

    def __init__(
        self, client: httpx2.AsyncClient, grant: Grant, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._client = client
        self._grant = grant
        self._clock = clock
        self._lock = asyncio.Lock()
        self._refresh_at = float("-inf")
        self.current = ""

    async def token(self) -> str:
        """A token that is good for now; raises `ToolError("auth_error")`, or `EgressRefused`."""
        if self._fresh():
            return self.current
        async with self._lock:
            if not self._fresh():
                await self._fetch()
            return self.current

    def reject(self, token: str) -> None:
        """Says that the server did not take `token`, so that the next call asks for another."""
        if token == self.current:
            self._refresh_at = float("-inf")

    def _fresh(self) -> bool:
        return self._clock() < self._refresh_at

    async def _fetch(self) -> None:
        asked_at = self._clock()
        answer = await self._ask()
        token = answer.get("access_token")
        if not isinstance(token, str) or not token.isascii() or not token.isprintable() or not token:
            raise ToolError("auth_error", "the token server's answer has no usable access_token")
        if str(answer.get("token_type", "bearer")).lower() != "bearer":
            raise ToolError("auth_error", "the token server's answer is not a bearer token")
        lifetime = _lifetime(answer.get("expires_in"))
        self.current = token
        self._refresh_at = asked_at + lifetime - min(EARLY, 0.2 * lifetime)

    async def _ask(self) -> dict[str, Any]:
        request = self._client.build_request(
            "POST", self._grant.token_url, data=self._grant.form, headers={"Accept": "application/json"}
        )
        try:
            async with exchange(self._client, request) as response:
                body = await read_start(response, _MAX_ANSWER)
        except EgressRefused:
            raise
        except httpx2.HTTPError as error:
            raise ToolError("auth_error", "the token server could not be reached", retryable=True) from error
        answer = _decode(body)
        if response.status_code != 200:
            raise _refused(response.status_code, answer)
        return answer


def _decode(body: bytes) -> dict[str, Any]:
    try:
        answer = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}
    return answer if isinstance(answer, dict) else {}


def _refused(status: int, answer: dict[str, Any]) -> ToolError:
    """The failure in words; of the server's own only the error code is told (RFC 6749 §5.2)."""
    code = answer.get("error")
    reason = f" ({code})" if isinstance(code, str) and _ERROR_CODE.fullmatch(code) else ""
    retryable = status >= 500 or status in (408, 429)
    return ToolError("auth_error", f"the token server answered {status}{reason}", retryable=retryable)


def _lifetime(given: Any) -> float:
    try:
        seconds = float(given)
    except (TypeError, ValueError):
        return DEFAULT_LIFETIME
    return seconds if 0 < seconds < float("inf") else DEFAULT_LIFETIME
