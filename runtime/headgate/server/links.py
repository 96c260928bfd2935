"""Answer links: one URL to approve and one to deny, for somebody who has no client at hand.

A link shows a page; only the button on it answers, so that programs which look at links beforehand answer nothing. It
is good for one vote of one key on one question.
"""

from __future__ import annotations

import secrets
import time
from typing import Any, Literal
from urllib.parse import parse_qs

import msgspec
import structlog
from litestar import Request, get, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response.base import ASGIResponse

from headgate.core.context import Principal
from headgate.core.errors import Conflict, Gone, Invalid, RequestError
from headgate.engine.answers import Polls, cast, require_pending
from headgate.server.access import require_answerer
from headgate.server.bodies import Linking
from headgate.server.edge import Edge
from headgate.server.link_pages import page, paragraph, question
from headgate.server.link_tokens import BadLink, Link, read, sign
from headgate.server.native import native
from headgate.server.native import read as read_body
from headgate.server.waits import ANSWERERS, ByKey, approval_of
from headgate.server.wire import answer
from headgate.stores.waits import Vote, WaitRecord

log = structlog.get_logger("headgate.links")

AnyRequest = Request[Any, Any, State]
PATH = "/links"
FOR_OTHERS = "admin:approvals"
"""Who may have links made for another key can answer as that key."""
_REASON = 500


class LinksView(msgspec.Struct):
    """Two URLs that answer an approval, each once, as the key `for`."""

    approve: str
    deny: str
    approver: str = msgspec.field(name="for")
    expires_at: float


@post(
    "/v1/approvals/{approval_id:str}/links",
    **native(
        "approvals", "Make answer links", scopes=ANSWERERS, body=Linking, answers={201: LinksView},
        errors=(404, 409, 410),
    ),
)  # fmt: skip
async def make_links(approval_id: FromPath[str], request: ByKey, edge: NamedDependency[Edge]) -> ASGIResponse:
    """Links below `[server] public_url` for the caller's own key, or, with the scope `admin:approvals`, for the key
    `for`. They end with the approval at the latest, and with `expires_in` seconds if that is given."""
    body = await read_body(request, Linking, empty=True)
    wait, now = await approval_of(edge, request.user, approval_id), time.time()
    base = edge.snapshot.gateway.server.public_url
    if base is None:
        raise Conflict(
            "links need [server] public_url in gateway.toml: where people reach the gateway", code="no_public_url"
        )
    approver = _approver(edge, request.user, body.approver)
    require_answerer(approver, wait)
    require_pending(wait, now)
    until = min(wait.expires_at, now + body.expires_in) if body.expires_in is not None else wait.expires_at
    urls = {each: _url(base, _link(wait, approver, each, until), edge) for each in ("approve", "deny")}
    return answer(LinksView(urls["approve"], urls["deny"], approver.key, until), 201)


def _approver(edge: Edge, caller: Principal, name: str | None) -> Principal:
    """Who the links answer as."""
    if name is None or name == caller.key:
        return caller
    caller.require(FOR_OTHERS)
    found = _current(edge, name)
    if found is None:
        raise Invalid(f"no key is called {name!r}", code="unknown_key")
    return found


def _link(wait: WaitRecord, who: Principal, decision: Literal["approve", "deny"] | Any, until: float) -> Link:
    identity = f"link_{secrets.token_hex(6)}"
    return Link(identity, wait.id, wait.args_hash, decision, who.key, who.digest[:16], until)


def _url(base: str, link: Link, edge: Edge) -> str:
    return f"{base.rstrip('/')}{PATH}/{sign(link, edge.seal)}"


@get(PATH + "/{token:str}", tags=["approvals"], summary="The page of an answer link", include_in_schema=False)
async def show_link(token: FromPath[str], request: AnyRequest, edge: NamedDependency[Edge]) -> ASGIResponse:
    """What is asked; looking at it answers nothing."""
    try:
        wait, link, _ = await _open(edge, token)
    except RequestError as error:
        return _refused(request, edge, error)
    return question(wait, link)


@post(PATH + "/{token:str}", tags=["approvals"], summary="Answer by a link", status_code=200, include_in_schema=False)
async def use_link(token: FromPath[str], request: AnyRequest, edge: NamedDependency[Edge]) -> ASGIResponse:
    """The vote of the link's key, once."""
    try:
        wait, link, who = await _open(edge, token)
        reason = parse_qs((await request.body()).decode("utf-8", "replace")).get("reason", [""])[0][:_REASON]
        vote = Vote(by=who.key, decision=link.decision, at=time.time(), reason=reason, via=link.id)
        done = await cast(wait, vote, Polls(edge.host, edge.host.ledger), team=who.team)
    except RequestError as error:
        return _refused(request, edge, error)
    if done.state == "pending":
        return page("Thank you", paragraph("Your approval counts; others must approve as well."))
    return page("Thank you", paragraph(f"The call of {done.tool} is {done.state}."))


async def _open(edge: Edge, token: str) -> tuple[WaitRecord, Link, Principal]:
    """The pending question of a link, and who answers; raises `RequestError` with what a person should know."""
    link = read(token, edge.seal)
    wait = await edge.host.ledger.wait(link.wait)
    if wait is None or wait.args_hash != link.args_hash:
        raise Gone("what this link was about is not asked any more", code="link_void")
    given = next((vote for vote in wait.votes if vote.by == link.key), None)
    if given is not None:
        used = "this link was used" if given.via == link.id else f"key {link.key!r} has answered"
        raise Conflict(f"{used} already: {given.decision}", code="link_used")
    if link.expires_at <= time.time():
        raise Gone("this link has expired", code="link_expired")
    require_pending(wait, time.time())
    return wait, link, _principal(edge, link, wait)


def _principal(edge: Edge, link: Link, wait: WaitRecord) -> Principal:
    """The key of the link, as it is now: it must still be there, be the same, and be allowed to answer."""
    who = _current(edge, link.key)
    if who is None or not who.digest.startswith(link.digest):
        raise Gone("the key that this link was made for is not valid any more", code="link_void")
    try:
        who.require(*ANSWERERS)
        require_answerer(who, wait)
    except RequestError:
        raise Gone(f"key {who.key!r} may not answer this any more", code="link_void") from None
    return who


def _current(edge: Edge, name: str) -> Principal | None:
    """The holder of a key, unless the key is gone or killed."""
    digest = next((each.digest for each in edge.snapshot.principals.values() if each.key == name), None)
    return edge.host.principal(digest) if digest is not None else None


def _refused(request: AnyRequest, edge: Edge, error: RequestError) -> ASGIResponse:
    if isinstance(error, BadLink):
        address = request.client.host if request.client else ""
        log.warning("link.refused", client=address)
        if edge.guesses.too_many(address):
            said = paragraph("There were too many links that are not valid. Try again in a minute.")
            return page("Not now", said, 429, {"retry-after": "60"})
    return page("This link cannot be used", paragraph(f"{error.message}."), error.status)
