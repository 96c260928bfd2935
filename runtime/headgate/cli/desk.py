"""Where the questions of runs are listed and answered: on a server, or in the ledger of a tree that nobody serves."""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncIterator, Mapping
from typing import Any, Protocol
from urllib.parse import quote

import msgspec

from headgate.cli.client.http import Http, open_http
from headgate.cli.client.local import OPERATOR
from headgate.cli.client.port import Reply
from headgate.cli.client.site import Site
from headgate.cli.store import read_tree, store_of
from headgate.compile.compiler import Compiled
from headgate.core.context import Principal
from headgate.core.errors import ConfigError, Invalid, NotFound
from headgate.engine.answers import DECISIONS, Polls, cast, entered, give, may_answer, require_approver
from headgate.engine.edits import require_fit
from headgate.engine.witness import revoked
from headgate.server.wait_views import grant_view, wait_view
from headgate.stores.port import Ledger
from headgate.stores.waits import Vote, WaitFilter, WaitRecord
from headgate.tools.common import ToolSpec

View = dict[str, Any]
"""A question as the native API shows it."""
_PAGE = 200


class Desk(Protocol):
    """Shows questions, and takes answers; every method raises `GatewayError`."""

    async def pending(self) -> list[View]:
        """What waits for an answer, newest first."""
        ...

    async def show(self, wait_id: str) -> View:
        """One question, settled ones too."""
        ...

    async def answer(self, wait_id: str, reply: Reply) -> View:
        """Settles the question, or adds a vote to it; what it became."""
        ...

    async def links(self, wait_id: str, approver: str | None, /) -> View:
        """Two URLs that answer the approval."""
        ...

    async def grants(self, session_id: str) -> list[View]:
        """What is remembered for the session."""
        ...

    async def revoke(self, session_id: str, tool: str | None) -> int:
        """Forgets what is remembered for the session, of one tool or of all; how many there were."""
        ...


@contextlib.asynccontextmanager
async def open_desk(site: Site, api_key: str) -> AsyncIterator[Desk]:
    """The desk of a server, or of a tree; raises `ConfigError` while a gateway serves the tree."""
    if site.url is not None:
        async with open_http(site.url) as http:
            yield ServerDesk(http, api_key)
        return
    compiled = await read_tree(site.tree)
    principal = _principal(compiled, site.key)
    async with store_of(compiled).opened() as ledger:
        yield TreeDesk(ledger, principal, compiled)


def _principal(compiled: Compiled, name: str | None) -> Principal:
    if name is None:
        return OPERATOR
    keys = compiled.draft.gateway.auth.keys if compiled.draft.gateway else {}
    if name not in keys:
        raise ConfigError(f"[auth.keys] has no key {name!r}", hint=f"there are: {', '.join(sorted(keys)) or 'none'}")
    return Principal(name, keys[name].team, "", frozenset())


class ServerDesk:
    """The native API of a server."""

    def __init__(self, http: Http, key: str) -> None:
        self._http = http
        self._key = key

    async def pending(self) -> list[View]:
        """All pages."""
        found: list[View] = []
        query = {"state": "pending", "limit": str(_PAGE)}
        while True:
            page = await self._http.json("GET", "/v1/waits", self._key, params=query)
            found += [each for each in page["items"] if each["kind"] in DECISIONS]
            if not page["next"]:
                return found
            query["cursor"] = page["next"]

    async def show(self, wait_id: str) -> View:
        """One."""
        found: View = await self._http.json("GET", f"/v1/waits/{quote(wait_id, safe='')}", self._key)
        return found

    async def answer(self, wait_id: str, reply: Reply) -> View:
        """The server decides who may."""
        if reply.decision in DECISIONS["input"]:
            given = {"content": reply.content} if reply.content is not None else {}
            return await self._post(f"/v1/waits/{quote(wait_id, safe='')}/answer", {"action": reply.decision, **given})
        said: dict[str, Any] = {"decision": reply.decision, "reason": reply.reason}
        path = f"/v1/waits/{quote(wait_id, safe='')}/answer"
        if reply.decision in DECISIONS["approval"]:
            said, path = said | {"remember": reply.remember}, f"/v1/approvals/{quote(wait_id, safe='')}"
        if reply.edited_args is not None:
            said["edited_args"] = reply.edited_args
        return await self._post(path, said)

    async def _post(self, path: str, said: View) -> View:
        settled: View = await self._http.json("POST", path, self._key, json=said)
        return settled

    async def links(self, wait_id: str, approver: str | None) -> View:
        """The server makes them."""
        said = {"for": approver} if approver is not None else {}
        made: View = await self._http.json(
            "POST", f"/v1/approvals/{quote(wait_id, safe='')}/links", self._key, json=said
        )
        return made

    async def grants(self, session_id: str) -> list[View]:
        """Those of a session that the key may see."""
        found: list[View] = await self._http.json("GET", _grants(session_id), self._key)
        return found

    async def revoke(self, session_id: str, tool: str | None) -> int:
        """The server decides who may."""
        only = {"params": {"tool": tool}} if tool is not None else {}
        found = await self._http.json("DELETE", _grants(session_id), self._key, **only)
        return int(found["revoked"])


def _grants(session_id: str) -> str:
    return f"/v1/sessions/{quote(session_id, safe='')}/grants"


class TreeDesk:
    """A ledger that no gateway is at work on: runs go on when one is."""

    def __init__(self, ledger: Ledger, principal: Principal, compiled: Compiled) -> None:
        self._ledger = ledger
        self._principal = principal
        self._draft = compiled.draft

    async def pending(self) -> list[View]:
        """What the key may see; the operator sees all."""
        viewer = None if self._principal is OPERATOR else (self._principal.key, self._principal.team)
        found: list[View] = []
        after: tuple[float, str] | None = None
        while True:
            wanted = WaitFilter(viewer=viewer, state="pending", after=after, limit=_PAGE)
            page = await self._ledger.waits(wanted)
            found += [_view(each) for each in page if each.kind in DECISIONS and each.expires_at > time.time()]
            if len(page) < _PAGE:
                return found
            after = (page[-1].created_at, page[-1].id)

    async def show(self, wait_id: str) -> View:
        """One."""
        return _view(await self._wait(wait_id))

    async def answer(self, wait_id: str, reply: Reply) -> View:
        """As a server would do it, with the rules of the policy."""
        wait, principal = await self._wait(wait_id), self._principal
        if principal is not OPERATOR:
            require_approver(principal, wait)
        if reply.remember and not wait.may_remember:
            raise Invalid(f"policy {wait.policy!r} does not let approvals of {wait.tool} be remembered")
        if reply.edited_args is not None:
            require_fit(reply.edited_args, self._schema(wait.tool), wait.tool)
        vote = Vote(
            by=principal.key, decision=reply.decision, at=time.time(), reason=reply.reason,
            edited_args=reply.edited_args,
        )  # fmt: skip
        if wait.kind == "input":
            said = entered(wait, vote, reply.content, team=principal.team)
            return _view(await give(said, wait, self._ledger))
        polls = Polls(self._ledger, self._ledger)
        return _view(await cast(wait, vote, polls, team=principal.team, remember=reply.remember))

    def _schema(self, tool: str) -> Mapping[str, Any]:
        item = self._draft.tools.get(tool)
        if item is None or not isinstance(item.spec, ToolSpec):
            raise Invalid(f"there is no tool {tool!r} that can be read: deny the call", code="not_editable")
        return item.spec.input_schema

    async def links(self, _wait_id: str, _approver: str | None) -> View:
        """None: nobody would answer at them."""
        raise Invalid("links lead to a gateway that serves: name it with --url", code="no_server")

    async def grants(self, session_id: str) -> list[View]:
        """Those of one session."""
        await self._own(session_id)
        return [msgspec.to_builtins(grant_view(each)) for each in await self._ledger.grants(session_id)]

    async def revoke(self, session_id: str, tool: str | None) -> int:
        """Of the session."""
        await self._own(session_id)
        told = (revoked(session_id, tool, self._principal, time.time()),)
        return await self._ledger.revoke_grants(session_id, tool, told)

    async def _own(self, session_id: str) -> None:
        """Raises `NotFound` unless the session is the principal's; the operator's are all."""
        session, principal = await self._ledger.session(session_id), self._principal
        if session is None or not (principal is OPERATOR or session.principal == principal.key):
            raise NotFound(f"there is no session {session_id!r}", code="session_not_found")

    async def _wait(self, wait_id: str) -> WaitRecord:
        wait, principal = await self._ledger.wait(wait_id), self._principal
        if wait is None or not (
            principal is OPERATOR or wait.principal == principal.key or (wait.approvers and may_answer(principal, wait))
        ):
            raise NotFound(f"there is no question {wait_id!r}", code="approval_not_found")
        return wait


def _view(wait: WaitRecord) -> View:
    view: View = msgspec.to_builtins(wait_view(wait))
    return view
