"""What a person does about a server that is used with their own account: asks for access, comes back, looks, leaves."""

from __future__ import annotations

import asyncio
from importlib import import_module
from typing import Any

from msgspec.structs import replace

from headgate.core.errors import ToolError
from headgate.core.messages import ErrorInfo
from headgate.mcp import consent
from headgate.mcp.consent import Asker, Flow
from headgate.mcp.grants import CLIENT, Grant, Place, method_of
from headgate.mcp.listed import Registered
from headgate.mcp.personal import Personal
from headgate.net.oauth import TokenRefused, revoke

DRIVER = "headgate.mcp.user_flow"
"""What finds out where access is granted, on the SDK; importing it takes most of a second."""
_REQUESTS = 3
"""Times the limit of a connection that finding out may take: it is several requests."""


class Authorizing:
    """At one server."""

    def __init__(self, server: Personal) -> None:
        self._server = server
        self._grants = server.grants

    async def granted(self, account: str) -> Grant | None:
        """What the account has granted."""
        held = await self._grants.read(account)
        return held.grant if held is not None else None

    async def ask(self, asker: Asker, callback: str) -> tuple[Flow, str]:
        """Finds out where access is granted, and begins to ask for it; the flow, and the secret of its link. Raises a
        `GatewayError`."""
        place = await self._place(callback)
        held = await self._grants.read(asker.account)
        if held is not None and held.grant.wanted:
            place = replace(place, scope=_union(place.scope, held.grant.scope, held.grant.wanted))
        return await consent.ask(self._grants.vault, self._server.name, self._grants.binding, asker, place)

    async def _place(self, callback: str) -> Place:
        own, known = self._server.own, await self._grants.recall(CLIENT, Registered)
        driver: Any = await asyncio.to_thread(import_module, DRIVER)
        registered = known.client if known is not None else None
        identity = driver.Identity(
            callback, own.client_id, method_of(own), own.metadata_url, own.scopes, registered
        )  # fmt: skip
        limit = self._server.spec.connection_timeout or 10.0
        try:
            async with asyncio.timeout(_REQUESTS * limit):
                found = await driver.discover(self._server.http, self._server.spec.url, identity, limit)
        except TimeoutError:
            raise ToolError("auth_error", "it took too long to find out where access is granted") from None
        place: Place = found.place
        consent.require_https(place)
        if own.issuer is not None and (place.issuer or "").rstrip("/") != own.issuer.rstrip("/"):
            raise ToolError("auth_error", f"the server sends people to another authorization server than {own.issuer}")
        if found.registered is not None:
            await self._grants.keep(CLIENT, Registered(self._grants.binding, found.registered))
        return place

    def fits(self, flow: Flow) -> bool:
        """Whether the server is still the one that the flow began with."""
        return (flow.server, flow.binding) == (self._server.name, self._grants.binding)

    async def accept(self, flow: Flow, code: str) -> ErrorInfo | None:
        """Keeps what the code stands for, and connects; raises a `GatewayError` when nothing was granted, returns why
        the server cannot be used with it."""
        try:
            grant = await consent.redeem(self._server.http, flow, code, self._server.own.client_secret)
        except TokenRefused as error:
            if error.reason == "invalid_client" and flow.place.registered:
                await self._grants.forget_client()
            raise
        await self._grants.write(flow.asker.account, grant)
        return await self._server.connect(flow.asker.account, grant)

    async def leave(self, account: str) -> tuple[Grant | None, bool]:
        """Forgets what the account granted, and closes its connection; what there was, and whether the authorization
        server says that it has revoked it, too (RFC 7009)."""
        grant = await self._grants.take(account)
        await self._server.disconnect(account)
        if grant is None or grant.place.revocation_endpoint is None:
            return grant, False
        hint = "refresh_token" if grant.refresh_token is not None else "access_token"
        said = {"token": grant.refresh_token or grant.access_token, "token_type_hint": hint}
        form, headers = grant.place.signed(said, self._server.own.client_secret)
        return grant, await revoke(self._server.http, grant.place.revocation_endpoint, form, headers)


def _union(*scopes: str | None) -> str:
    return " ".join(dict.fromkeys(word for each in scopes if each for word in each.split()))
