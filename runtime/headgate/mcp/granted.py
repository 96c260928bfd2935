"""The tokens of one person for one server: refreshed early, once however many calls wait, and kept as soon as they
are there."""

from __future__ import annotations

import asyncio
import re
from typing import Literal

import httpx2
import structlog
from msgspec.structs import replace

from headgate.core.errors import GatewayError, ToolError
from headgate.mcp.auth_kind import TokenAuth
from headgate.mcp.grants import GRANT, Grant, Grants, Held
from headgate.net.oauth import TokenRefused, ask_whole
from headgate.net.tokens import DEFAULT_LIFETIME, Token, TokenSource

log = structlog.get_logger("headgate.mcp")

Trouble = Literal["", "lost", "refused", "scope"]
"""What is wrong with a grant: it has ended, the server does not take its tokens, or it wants more scopes."""
_SCOPE = re.compile(r'\bscope="([^"]{1,1000})"')
_DEAD = ("invalid_grant", "unauthorized_client")
"""Codes of an authorization server for a grant that no refreshing brings back (RFC 6749 §5.2)."""


class Granted:
    """What `account` granted, as requests need it; `secret` is that of the manifest, `grant` the id of the grant."""

    def __init__(self, grants: Grants, account: str, grant: str, http: httpx2.AsyncClient, secret: str | None) -> None:
        self.account = account
        self.grant = grant
        self.trouble: Trouble = ""
        self.wanted = ""
        self._grants = grants
        self._http = http
        self._secret = secret
        self._handed = self._rejected = ""
        self._source = TokenSource(self._fetch)
        self._work: asyncio.Task[Token] | None = None

    async def token(self) -> str:
        """A token that is good for now; raises a `GatewayError`."""
        return await self._source.token()

    def reject(self, token: str) -> bool:
        """See `TokenSource.reject`."""
        self._rejected = token
        return self._source.reject(token)

    def heard(self, response: httpx2.Response) -> None:
        """Takes note of what the server says to a token (RFC 6750 §3.1)."""
        challenge = response.headers.get("www-authenticate", "")
        if response.status_code == 401:
            self.trouble = "refused"
        elif response.status_code == 403 and "insufficient_scope" in challenge:
            found = _SCOPE.search(challenge)
            self.trouble, self.wanted = "scope", found[1] if found else ""

    async def settle(self) -> None:
        """Returns when no token is on its way that would have to be kept."""
        if self._work is not None and not self._work.done():
            await asyncio.wait([self._work])

    async def _fetch(self) -> Token:
        """A refresh is gone on with when who asked for it has gone: a refresh token is often good for one use, and what
        it was exchanged for must be kept."""
        if self._work is None or self._work.done():
            self._work = asyncio.create_task(self._renewed(), name=f"token of {self.account} for {self._grants.name}")
        token = await asyncio.shield(self._work)
        self._handed = token.value
        return token

    async def _renewed(self) -> Token:
        async with self._grants.vault.alone(GRANT, self.account, self._grants.name):
            held = await self._grants.read(self.account)
            if held is None or held.grant.id != self.grant:
                raise self._lost()
            return self._hand(held if self._is_good(held.grant) else await self._refresh(held))

    def _is_good(self, grant: Grant) -> bool:
        """Whether the access token as it is kept is better than nothing: not where a refresh is due, unless it cannot
        be refreshed and the server takes it still."""
        left, token = grant.left(self._grants.clock()), grant.access_token
        due = token == self._handed and (grant.refresh_token is not None or token == self._rejected)
        return not due and (left is None or left > 0)

    async def _refresh(self, held: Held) -> Held:
        grant = held.grant
        if grant.refresh_token is None:
            raise self._lost()
        form = {"grant_type": "refresh_token", "refresh_token": grant.refresh_token}
        if grant.place.resource is not None:
            form["resource"] = grant.place.resource
        whole, headers = grant.place.signed(form, self._secret)
        try:
            answer = await ask_whole(self._http, grant.place.token_endpoint, whole, headers)
        except TokenRefused as error:
            unknown = error.reason == "invalid_client" and grant.place.registered
            if unknown:
                await self._grants.forget_client()
            if error.reason not in _DEAD and not unknown:
                raise
            log.info("mcp.grant_lost", server=self._grants.name, account=self.account, reason=error.reason)
            await self._grants.take(self.account)
            raise self._lost() from None
        fresh = grant.renewed(answer, self._grants.clock())
        if not await self._grants.change(self.account, held, fresh):
            raise self._lost()  # taken back meanwhile
        return Held(fresh, held.revision + 1)

    def _hand(self, held: Held) -> Token:
        left = held.grant.left(self._grants.clock())
        return Token(held.grant.access_token, DEFAULT_LIFETIME if left is None else left)

    def _lost(self) -> GatewayError:
        self.trouble = "lost"
        return ToolError("auth_error", "the grant has ended, or was taken back")

    async def want(self) -> None:
        """Keeps which scopes the server asked for, for the next time that the person is asked."""
        held = await self._grants.read(self.account)
        if held is not None and held.grant.id == self.grant and self.wanted:
            await self._grants.change(self.account, held, replace(held.grant, wanted=self.wanted))


class GrantedAuth(TokenAuth):
    """Signs requests with what one person granted, which hears why a server refuses it."""

    def __init__(self, granted: Granted) -> None:
        super().__init__(granted)
        self._granted = granted

    def heard(self, response: httpx2.Response) -> None:
        """See `Granted.heard`."""
        self._granted.heard(response)
