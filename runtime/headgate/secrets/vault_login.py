"""Tokens for Vault: given or got by an AppRole login, renewed before they end, by one request at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from headgate.secrets.failures import SecretDenied, SecretError, SecretNotFound, SecretUnavailable
from headgate.secrets.vault_wire import VaultWire

EARLY = 0.3
"""The last part of a token's life, in which it is renewed."""
SHORTEST = 5.0
"""Seconds of life below which a renewed token is not worth keeping: its longest life is near its end."""


class VaultLogin:
    """The token in use; `clock` counts seconds. `login` is the body of an AppRole login at `mount`, if there is one.

    A given token is looked up once to learn how long it lives. Without further reads nothing renews it.
    """

    def __init__(
        self, wire: VaultWire, token: str = "", *, login: dict[str, str] | None, mount: str, clock: Callable[[], float]
    ) -> None:
        self._wire = wire
        self._token = token
        self._login = login
        self._mount = mount
        self._clock = clock
        self._lock = asyncio.Lock()
        self._renewable = False
        self._renew_at = float("-inf")
        self._ends_at = float("inf")
        self._entered_at = float("-inf")

    async def token(self) -> str:
        """A token that is good for now; raises `SecretError`."""
        if not self._fresh():
            async with self._lock:
                if not self._fresh():
                    await self._refresh()
        return self._token

    def reject(self, token: str) -> bool:
        """Says that Vault did not take `token`; answers whether asking again may bring a better one."""
        if self._login is None:
            return False
        if token == self._token:
            if self._clock() - self._entered_at < SHORTEST:
                return False  # it is new, so what was refused is the path
            self._token = ""
            self._renew_at = float("-inf")
        return True

    def _fresh(self) -> bool:
        return bool(self._token) and self._clock() < self._renew_at

    async def _refresh(self) -> None:
        if not self._token:
            await self._enter()
        elif self._renew_at == float("-inf"):
            await self._look_up()
        elif not self._renewable or not await self._renewed():
            await self._replace()

    async def _enter(self) -> None:
        if self._login is None:
            raise SecretDenied("Vault does not take the token")
        asked_at = self._clock()
        try:
            answer = await self._wire.ask("POST", f"auth/{self._mount}/login", body=self._login)
        except SecretNotFound:
            raise SecretDenied(f"Vault has no AppRole login at auth/{self._mount}") from None
        self._take(answer.body.get("auth"), asked_at)
        self._entered_at = asked_at

    async def _look_up(self) -> None:
        """A token without the right to look itself up is taken to live for ever; Vault says when it does not."""
        asked_at = self._clock()
        self._renew_at = float("inf")
        try:
            answer = await self._wire.ask("GET", "auth/token/lookup-self", token=self._token)
        except SecretDenied:
            return
        except SecretError:
            self._renew_at = float("-inf")
            raise
        data = answer.body.get("data")
        self._renewable = isinstance(data, dict) and data.get("renewable") is True
        self._last(data.get("ttl") if isinstance(data, dict) else 0, asked_at)

    async def _renewed(self) -> bool:
        """Whether the token was renewed; an outage does no harm while the token lives."""
        asked_at = self._clock()
        try:
            answer = await self._wire.ask("POST", "auth/token/renew-self", token=self._token, body={})
        except SecretUnavailable:
            if asked_at >= self._ends_at:
                raise
            return True
        except SecretError:
            return False
        auth = answer.body.get("auth")
        if not isinstance(auth, dict) or not _lifetime(auth.get("lease_duration")) > SHORTEST:
            return self._login is None
        self._take(auth, asked_at)
        return True

    async def _replace(self) -> None:
        if self._login is not None:
            await self._enter()
        else:
            self._renew_at = float("inf")  # nothing more can be done for it; Vault says when it has ended

    def _take(self, auth: Any, asked_at: float) -> None:
        token = auth.get("client_token") if isinstance(auth, dict) else None
        if not isinstance(token, str) or not token.isascii() or not token.isprintable() or not token:
            raise SecretUnavailable("the answer of Vault has no usable token")
        self._token = token
        self._renewable = auth.get("renewable") is True
        self._last(auth.get("lease_duration"), asked_at)

    def _last(self, lease: Any, asked_at: float) -> None:
        lifetime = _lifetime(lease)
        self._renew_at = asked_at + lifetime * (1 - EARLY)
        self._ends_at = asked_at + lifetime


def _lifetime(lease: Any) -> float:
    """The seconds of a lease; zero means that it does not end."""
    known = isinstance(lease, int | float) and not isinstance(lease, bool) and lease > 0
    return float(lease) if known else float("inf")
