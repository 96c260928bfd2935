"""An authorization server of OAuth 2.1 for tests, on a real socket of this machine.

It has what MCP asks for: metadata (RFC 8414), registration (RFC 7591), the
authorization code with PKCE (RFC 7636), its own name in answers (RFC 9207), audiences (RFC 8707), refresh tokens that
are good for one use, and revocation (RFC 7009). Who is signed in is told by the cookie `person`, as a name.
"""

from __future__ import annotations

import asyncio
import base64
import hmac
import secrets
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any
from urllib.parse import unquote_plus, urlencode

from aiohttp import web


@dataclass(slots=True)
class Issued:
    """One token: whose, for which audience and client, with which scopes, and the refresh token that it came with."""

    person: str
    audience: str
    client: str
    scope: str
    refresh: str = ""


@dataclass(slots=True)
class Code:
    """An authorization code on its way, and what it must be redeemed with."""

    issued: Issued
    challenge: str
    redirect: str


@dataclass(slots=True)
class AuthorizationServer:
    """The server. `lifetime` is that of access tokens in seconds, None for one that nobody tells. `denies` has people
    refuse, `refusing` has the token endpoint answer with this error, `down` every route with 503. `says` is added to
    the metadata, where None takes a member away. `tokens` are good now, `asked` are the forms of the token endpoint;
    answers of that wait for `held`."""

    url: str = ""
    lifetime: int | None = 3600
    rotates: bool = True
    refreshes: bool = True
    registers: bool = True
    denies: bool = False
    refusing: str = ""
    down: bool = False
    iss: str = ""
    says: dict[str, Any] = field(default_factory=dict)
    clients: dict[str, dict[str, Any]] = field(default_factory=dict)
    codes: dict[str, Code] = field(default_factory=dict)
    tokens: dict[str, Issued] = field(default_factory=dict)
    refreshing: dict[str, Issued] = field(default_factory=dict)
    asked: list[dict[str, str]] = field(default_factory=list)
    visits: list[dict[str, str]] = field(default_factory=list)
    revoked: list[dict[str, str]] = field(default_factory=list)
    held: asyncio.Event | None = None

    async def metadata(self, _request: web.Request) -> web.Response:
        """RFC 8414 §2."""
        told = {
            "issuer": self.url, "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token", "revocation_endpoint": f"{self.url}/revoke",
            "registration_endpoint": f"{self.url}/register" if self.registers else None,
            "response_types_supported": ["code"], "grant_types_supported": ["authorization_code", "refresh_token"],
            "code_challenge_methods_supported": ["S256"], "scopes_supported": ["read", "write"],
            "authorization_response_iss_parameter_supported": True, **self.says,
        }  # fmt: skip
        return web.json_response({name: value for name, value in told.items() if value is not None})

    async def register(self, request: web.Request) -> web.Response:
        """RFC 7591 §3."""
        said = await request.json()
        identity = f"client-{len(self.clients) + 1}"
        method = said.get("token_endpoint_auth_method") or "client_secret_basic"
        made = {**said, "client_id": identity, "token_endpoint_auth_method": method}
        if method != "none":
            made["client_secret"] = f"secret-of-{identity}"
        self.clients[identity] = made
        return web.json_response(made, status=201)

    async def authorize(self, request: web.Request) -> web.Response:
        """RFC 6749 §4.1.1: whoever is signed in grants it, or denies it."""
        asked = dict(request.query)
        self.visits.append(asked)
        client = self.clients.get(asked.get("client_id", ""))
        if client is None or asked.get("redirect_uri") not in client["redirect_uris"]:
            return web.Response(status=400, text="no such client, or it does not come back there")
        told = {"state": asked.get("state", ""), "iss": self.iss or self.url}
        if self.denies:
            return self._back(asked, {**told, "error": "access_denied", "error_description": "<b>no</b>"})
        if asked.get("code_challenge_method") != "S256" or asked.get("response_type") != "code":
            return self._back(asked, {**told, "error": "invalid_request"})
        code = secrets.token_urlsafe(16)
        person, scope = request.cookies.get("person", "nobody"), asked.get("scope", "")
        issued = Issued(person, asked.get("resource", ""), asked["client_id"], scope)
        self.codes[code] = Code(issued, asked.get("code_challenge", ""), asked["redirect_uri"])
        return self._back(asked, {**told, "code": code})

    def _back(self, asked: dict[str, str], told: dict[str, str]) -> web.Response:
        return web.Response(status=302, headers={"location": f"{asked['redirect_uri']}?{urlencode(told)}"})

    async def token(self, request: web.Request) -> web.Response:
        """RFC 6749 §4.1.3 and §6."""
        form = {name: str(value) for name, value in (await request.post()).items()}
        self.asked.append(form)
        if self.held is not None:
            await self.held.wait()
        if self.refusing:
            status = 503 if self.refusing == "temporarily_unavailable" else 400
            return web.json_response({"error": self.refusing, "error_description": form.get("code", "")}, status=status)
        client = self._client(request, form)
        if client is None:
            return web.json_response({"error": "invalid_client"}, status=401)
        issued = self._redeemed(form, client)
        if issued is None:
            return web.json_response({"error": "invalid_grant"}, status=400)
        return web.json_response(self._issue(issued))

    def _client(self, request: web.Request, form: dict[str, str]) -> str | None:
        """Who asks, if it proves so in its own way (RFC 6749 §2.3.1)."""
        identity, secret = form.get("client_id", ""), form.get("client_secret", "")
        way = "client_secret_post" if secret else "none"
        sent = request.headers.get("authorization", "")
        if sent.startswith("Basic "):
            name, _, word = base64.b64decode(sent.removeprefix("Basic ")).decode().partition(":")
            identity, secret, way = unquote_plus(name), unquote_plus(word), "client_secret_basic"
        known = self.clients.get(identity)
        if known is None or known["token_endpoint_auth_method"] != way:
            return None
        return identity if hmac.compare_digest(secret, known.get("client_secret", "")) else None

    def _redeemed(self, form: dict[str, str], client: str) -> Issued | None:
        if form.get("grant_type") == "refresh_token":
            issued = self.refreshing.get(form.get("refresh_token", ""))
            if issued is not None and self.rotates:
                del self.refreshing[form["refresh_token"]]
            return issued if issued is not None and issued.client == client else None
        code = self.codes.pop(form.get("code", ""), None)
        challenge = base64.urlsafe_b64encode(sha256(form.get("code_verifier", "").encode()).digest()).decode()
        if code is None or code.challenge != challenge.rstrip("=") or code.redirect != form.get("redirect_uri"):
            return None
        return code.issued if code.issued.client == client else None

    def _issue(self, issued: Issued) -> dict[str, Any]:
        token, refresh = f"at-{secrets.token_urlsafe(12)}", f"rt-{secrets.token_urlsafe(12)}"
        kept = Issued(issued.person, issued.audience, issued.client, issued.scope, refresh)
        for old in [each for each, held in self.tokens.items() if held.refresh and held.refresh == issued.refresh]:
            del self.tokens[old]  # what was refreshed is good no more
        self.tokens[token] = kept
        told: dict[str, Any] = {"access_token": token, "token_type": "bearer", "scope": issued.scope}
        if self.lifetime is not None:
            told["expires_in"] = self.lifetime
        if self.refreshes:
            self.refreshing[refresh] = kept
            told["refresh_token"] = refresh
        return told

    async def revoke(self, request: web.Request) -> web.Response:
        """RFC 7009 §2: an access token goes with its refresh token."""
        form = {name: str(value) for name, value in (await request.post()).items()}
        self.revoked.append(form)
        if self._client(request, form) is None:
            return web.json_response({"error": "invalid_client"}, status=401)
        self.forget(form.get("token", ""))
        return web.Response()

    def forget(self, refresh: str) -> None:
        """Takes a refresh token away, and the access tokens that came with it."""
        self.refreshing.pop(refresh, None)
        for token in [each for each, held in self.tokens.items() if held.refresh == refresh or each == refresh]:
            del self.tokens[token]

    def forget_all(self) -> None:
        """Takes every token away."""
        self.tokens.clear()
        self.refreshing.clear()

    def spoil(self) -> None:
        """Takes the access tokens away, which can be had again with the refresh tokens."""
        self.tokens.clear()

    def app(self) -> web.Application:
        """The routes."""

        @web.middleware
        async def up(request: web.Request, handler: Any) -> web.StreamResponse:
            answered: web.StreamResponse = web.Response(status=503) if self.down else await handler(request)
            return answered

        app = web.Application(middlewares=[up])
        app.router.add_get("/.well-known/oauth-authorization-server", self.metadata)
        app.router.add_post("/register", self.register)
        app.router.add_get("/authorize", self.authorize)
        app.router.add_post("/token", self.token)
        app.router.add_post("/revoke", self.revoke)
        return app
