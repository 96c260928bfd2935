"""Where browsers go when a person lets the gateway use their account of an MCP server, and where they come back to.

Nobody authenticates here: a browser has no key. The link of a question leads to a page that says for whom access would
be granted; only its button begins. What comes back is taken with the state and the cookie of that browser, once.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import structlog
from litestar import Request, get, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response.base import ASGIResponse

from headgate.core.errors import GatewayError, Gone, RequestError
from headgate.core.messages import ErrorInfo
from headgate.mcp import consent
from headgate.mcp.authorizing import Authorizing
from headgate.mcp.consent import BadFlow, Came, Flow, Refused
from headgate.mcp.personal import Personal
from headgate.server.authorizations import asker_known, tell, vault_of
from headgate.server.edge import Edge
from headgate.server.link_pages import facts, page, paragraph, policy, visible

log = structlog.get_logger("headgate.oauth")

AnyRequest = Request[Any, Any, State]
COOKIE = "headgate_oauth_"
_LONGEST = 4_096
"""Characters of a code or a state that are read."""
_UNSEEN = {"referrer-policy": "no-referrer"}
"""The address of the page that people come back to has a code in it."""


@get("/oauth/start/{token:str}", summary="The page that asks for access", include_in_schema=False)
async def show_start(token: FromPath[str], request: AnyRequest, edge: NamedDependency[Edge]) -> ASGIResponse:
    """Who asks for access to what; looking at it begins nothing."""
    try:
        flow = await consent.look(vault_of(edge), token)
        await _server(edge, flow)
    except RequestError as error:
        return _refused(request, edge, error)
    return _question(flow)


@post("/oauth/start/{token:str}", summary="Go and grant access", status_code=303, include_in_schema=False)
async def start(token: FromPath[str], request: AnyRequest, edge: NamedDependency[Edge]) -> ASGIResponse:
    """Sends the browser to the authorization server, with a cookie that it has to come back with."""
    try:
        flow = await consent.look(vault_of(edge), token)
        await _server(edge, flow)
        began = await consent.begin(vault_of(edge), token)
    except RequestError as error:
        return _refused(request, edge, error)
    cookie = _cookie(flow, began.cookie, int(consent.LIFETIME))
    return page("Going on", "", 303, {**_UNSEEN, "location": began.url, "set-cookie": cookie})


@get("/oauth/callback", summary="Where people come back to", include_in_schema=False)
async def callback(request: AnyRequest, edge: NamedDependency[Edge]) -> ASGIResponse:
    """Takes the answer of the authorization server, once."""
    said = {name: request.query_params.getall(name, []) for name in ("state", "code", "error", "iss")}
    single = {name: each[0] for name, each in said.items() if len(each) == 1 and 0 < len(each[0]) <= _LONGEST}
    state = single.get("state", "") if all(len(each) <= 1 for each in said.values()) else ""
    cookie = request.cookies.get(f"{COOKIE}{state.partition('.')[0]}", "")
    came = Came(single.get("code"), single.get("error"), single.get("iss"))
    try:
        flow = await consent.returned(vault_of(edge), state, cookie, came)
    except Refused as error:
        await tell(edge, "refused", error.flow, outcome=error.reason)
        return _refused(request, edge, error)
    except RequestError as error:
        return _refused(request, edge, error)
    return await _accepted(request, edge, flow, came.code or "")


async def _accepted(request: AnyRequest, edge: Edge, flow: Flow, code: str) -> ASGIResponse:
    try:
        server = await _server(edge, flow)
        fault = await Authorizing(server).accept(flow, code)
    except GatewayError as error:
        await tell(edge, "refused", flow, outcome=error.code)
        if isinstance(error, RequestError):
            return _refused(request, edge, error)
        message = edge.snapshot.scrub(error.message)
        return page("Nothing was granted", paragraph(f"{message}."), 502, _UNSEEN)
    await tell(edge, "granted", flow)
    await edge.reloader.refold()
    return _done(flow, fault)


def _done(flow: Flow, fault: ErrorInfo | None) -> ASGIResponse:
    said = f"Agents of key {flow.asker.key} can now use your account of {flow.server}. You can close this window."
    body = paragraph(said)
    if fault is not None:
        body += paragraph(f"The server cannot be used now, though ({fault.code}): {fault.message}.")
    headers = {**_UNSEEN, "set-cookie": _cookie(flow, "", 0)}
    return page("Thank you", body, headers=headers)


def _question(flow: Flow) -> ASGIResponse:
    place, asker = flow.place, flow.asker
    url = urlsplit(place.authorization_endpoint)
    rows = [
        ("Server", flow.server), ("Its address", place.resource or ""), ("For the key", asker.key),
        ("Of the team", asker.team), ("You grant it at", url.hostname or ""), ("Scopes", place.scope or ""),
    ]  # fmt: skip
    warning = (
        f"Go on only if you want agents of key {asker.key} to use your own account of {flow.server}. If somebody else "
        "sent you here, close this window."
    )
    body = (
        f"<dl>{facts(rows)}</dl>{paragraph(warning)}"
        f'<form method="post"><p><button type="submit">Go on to {visible(url.hostname or "")}</button></p></form>'
    )
    # Browsers take every redirect that follows a form for its target, too, and people may sign in at a third place.
    security = policy(form=f"'self' https: {url.scheme}://{url.netloc}")
    return page("Let agents use your account?", body, headers={"content-security-policy": security})


def _cookie(flow: Flow, value: str, seconds: int) -> str:
    where = urlsplit(flow.place.callback)
    secure = "; Secure" if where.scheme == "https" else ""
    return (
        f"{COOKIE}{flow.id}={value}; Path={where.path}; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}"
    )  # fmt: skip


async def _server(edge: Edge, flow: Flow) -> Personal:
    """The server of the flow, while it is the one that the flow is about, and who asks is still there."""
    server = edge.snapshot.servers.get(flow.server)
    if not isinstance(server, Personal) or not Authorizing(server).fits(flow):
        raise Gone(f"MCP server {flow.server} is not the one any more that this was about", code="server_changed")
    if not asker_known(edge, flow.asker):
        raise Gone(f"key {flow.asker.key} is not valid any more", code="key_gone")
    return server


def _refused(request: AnyRequest, edge: Edge, error: RequestError) -> ASGIResponse:
    if isinstance(error, BadFlow):
        address = request.client.host if request.client else ""
        log.warning("oauth.refused", client=address)
        if edge.guesses.too_many(address):
            said = paragraph("There were too many answers that belong to no question. Try again in a minute.")
            return page("Not now", said, 429, {"retry-after": "60", **_UNSEEN})
    return page("Nothing was granted", paragraph(f"{error.message}."), error.status, _UNSEEN)
