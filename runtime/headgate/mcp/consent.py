"""How a person is asked for access to their account, and what they come back with: one flow for one answer.

A flow has three secrets, of which the vault holds digests: one in the link that the person is given, one in the
`state` of the request to the authorization server (RFC 6749 §10.12), and one in a cookie of the browser that began it.
Who hands on a link hands on a page that says whose agents would get the access; who hands on what comes behind that
page is not answered, because the cookie is not there.
"""

from __future__ import annotations

import base64
import hmac
import re
import secrets
import time
from dataclasses import dataclass
from hashlib import sha256
from urllib.parse import urlencode, urlsplit

import httpx2
import msgspec
from msgspec.structs import replace

from headgate.core.errors import Conflict, Gone, NotFound, ToolError
from headgate.core.vault import Vault
from headgate.mcp.grants import FLOW, Grant, Place, end_of, text_of
from headgate.net.oauth import ask_whole

LIFETIME = 600.0
"""Seconds in which a person must come back."""
_BYTES = 32
_HOST = re.compile(r"[A-Za-z0-9._-]+(:[0-9]+)?|\[[0-9A-Fa-f:.]+\](:[0-9]+)?")


class Asker(msgspec.Struct, frozen=True):
    """For whom access is asked: the account that it is kept for, and the key, team and digest of the principal."""

    account: str
    key: str
    team: str
    digest: str


class Flow(msgspec.Struct, frozen=True, kw_only=True):
    """One question on its way. `start`, `state` and `browser` are digests; the last two are empty before it began."""

    id: str
    server: str
    binding: str
    asker: Asker
    place: Place
    verifier: str
    start: str
    expires_at: float
    state: str = ""
    browser: str = ""

    def __repr__(self) -> str:
        return f"Flow({self.id!r})"


class BadFlow(NotFound):
    """There is no such flow: it was made up, has been answered, or its time is over."""

    default_code = "authorization_not_found"


@dataclass(frozen=True, slots=True)
class Began:
    """Where the browser goes, and the secret that it keeps meanwhile."""

    url: str
    cookie: str


@dataclass(frozen=True, slots=True)
class Came:
    """What the authorization server sent the person back with (RFC 6749 §4.1.2)."""

    code: str | None = None
    error: str | None = None
    iss: str | None = None


async def ask(vault: Vault, server: str, binding: str, asker: Asker, place: Place) -> tuple[Flow, str]:
    """A new flow, and the secret of its link."""
    secret, identity = secrets.token_urlsafe(_BYTES), secrets.token_hex(8)
    flow = Flow(
        id=identity, server=server, binding=binding, asker=asker, place=place, start=_digest(secret),
        verifier=secrets.token_urlsafe(64), expires_at=time.time() + LIFETIME,
    )  # fmt: skip
    await vault.write(FLOW, identity, "", _text(flow), expires_at=flow.expires_at)
    return flow, f"{identity}.{secret}"


async def look(vault: Vault, token: str) -> Flow:
    """The flow of a link; raises `BadFlow`."""
    return (await _read(vault, token, "start"))[0]


async def begin(vault: Vault, token: str) -> Began:
    """The person behind the link agrees to be asked: raises `BadFlow`. What began before does not count any more."""
    flow, revision = await _read(vault, token, "start")
    state, cookie = secrets.token_urlsafe(_BYTES), secrets.token_urlsafe(_BYTES)
    begun = replace(flow, state=_digest(state), browser=_digest(cookie))
    if not await vault.change(FLOW, flow.id, "", _text(begun), revision):
        raise Conflict("this was begun in another window at the same time", code="authorization_begun")
    return Began(_asking(flow, f"{flow.id}.{state}"), cookie)


async def returned(vault: Vault, state: str, cookie: str, came: Came) -> Flow:
    """The flow that somebody came back with, who is known by the cookie; it is over whatever comes of it.

    Raises `BadFlow`, and `Gone` where the answer does not count, of which nothing is told to the authorization server.
    """
    found, _ = await _read(vault, state, "state")
    kept = await vault.take(FLOW, found.id, "")
    if kept is None:
        raise BadFlow("this has been answered already, or its time is over")
    flow = msgspec.json.decode(kept.text, type=Flow)
    if not hmac.compare_digest(_digest(cookie), flow.browser):
        raise Refused(flow, "another_browser", "this was begun in another browser; nothing was granted")
    if (came.iss is not None and came.iss != flow.place.issuer) or (came.iss is None and flow.place.iss):
        raise Refused(flow, "wrong_issuer", "the answer came from another authorization server than was asked")
    if came.code is None:
        reason = came.error if came.error in _ERRORS else "error"
        raise Refused(flow, reason, _ERRORS.get(came.error or "", "the authorization server reported an error"))
    return flow


_ERRORS = {
    "access_denied": "access was not granted",
    "invalid_scope": "the authorization server does not give the scopes that were asked for",
    "invalid_request": "the authorization server did not understand the request",
    "unauthorized_client": "the authorization server does not let the gateway ask like this",
    "unsupported_response_type": "the authorization server does not let the gateway ask like this",
    "server_error": "the authorization server failed",
    "temporarily_unavailable": "the authorization server cannot answer now",
}
"""What the codes of an authorization server mean (RFC 6749 §4.1.2.1); its own words are not shown."""


class Refused(Gone):
    """The answer of the flow does not count; `reason` is a word for the audit log."""

    def __init__(self, flow: Flow, reason: str, message: str) -> None:
        super().__init__(message, code="authorization_refused")
        self.flow = flow
        self.reason = reason


async def redeem(http: httpx2.AsyncClient, flow: Flow, code: str, secret: str | None) -> Grant:
    """What the code stands for (RFC 6749 §4.1.3, RFC 7636 §4.5); raises a `GatewayError`."""
    place, now = flow.place, time.time()
    form = {
        "grant_type": "authorization_code", "code": code, "redirect_uri": place.callback,
        "code_verifier": flow.verifier, **({"resource": place.resource} if place.resource is not None else {}),
    }  # fmt: skip
    whole, headers = place.signed(form, secret)
    answer = await ask_whole(http, place.token_endpoint, whole, headers)
    return Grant(
        id=flow.id, binding=flow.binding, place=place, access_token=answer["access_token"], granted_at=now,
        refresh_token=text_of(answer, "refresh_token"), expires_at=end_of(answer, now),
        scope=text_of(answer, "scope") or place.scope,
    )  # fmt: skip


def _asking(flow: Flow, state: str) -> str:
    """The request to the authorization server (RFC 6749 §4.1.1, RFC 7636 §4.3)."""
    place = flow.place
    challenge = base64.urlsafe_b64encode(sha256(flow.verifier.encode()).digest()).decode().rstrip("=")
    query = {
        "response_type": "code", "client_id": place.client_id, "redirect_uri": place.callback, "state": state,
        "code_challenge": challenge, "code_challenge_method": "S256",
    }  # fmt: skip
    if place.resource is not None:
        query["resource"] = place.resource
    if place.scope is not None:
        query["scope"] = place.scope
        if "offline_access" in place.scope.split():
            query["prompt"] = "consent"  # OpenID Connect Core §11
    separator = "&" if urlsplit(place.authorization_endpoint).query else "?"
    return f"{place.authorization_endpoint}{separator}{urlencode(query)}"


async def _read(vault: Vault, token: str, which: str) -> tuple[Flow, int]:
    """The flow that the token names, whose secret is compared in constant time."""
    identity, _, secret = token.partition(".")
    kept = await vault.read(FLOW, identity[:32], "")
    flow = msgspec.json.decode(kept.text, type=Flow) if kept is not None else None
    held = getattr(flow, which) if flow is not None else ""
    if not hmac.compare_digest(_digest(secret), held or _digest("")) or kept is None or flow is None or not secret:
        raise BadFlow("this is not valid: it was answered already, or its time is over; ask again")
    return flow, kept.revision


def _digest(secret: str) -> str:
    return sha256(secret.encode("utf-8", "replace")).hexdigest()


def _text(flow: Flow) -> str:
    return msgspec.json.encode(flow).decode()


def require_https(place: Place) -> None:
    """Raises `ToolError` where people would be sent, or codes, over plain HTTP to another machine (RFC 9700 §2.6), or
    where the address is not plain enough to be shown."""
    for url in (place.authorization_endpoint, place.token_endpoint):
        parts = urlsplit(url)
        if _HOST.fullmatch(parts.netloc) is None:
            raise ToolError("auth_error", "access would be granted at an address that is none")
        local = parts.hostname in ("127.0.0.1", "::1", "localhost")
        if parts.scheme != "https" and not (parts.scheme == "http" and local):
            raise ToolError("auth_error", f"access would be granted over {parts.scheme} at {parts.hostname}")
