"""An MCP server that everybody uses with an account of their own: a connection each, and one listing for all.

Nothing is asked with the credential of one person for another. What the server lists is known from whoever connected
first, and kept, so that agents have the tools while nobody is connected.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from typing import Any, Literal

import structlog

from headgate.core.errors import ConfigError, ToolError
from headgate.core.kind import Env
from headgate.core.messages import ErrorInfo
from headgate.core.ports import ServerHealth
from headgate.mcp.asking import Asking
from headgate.mcp.auth_user import OAuth2User
from headgate.mcp.granted import Granted, Trouble
from headgate.mcp.grants import LISTING, Grant, Grants, binding_of
from headgate.mcp.listed import KeptListing, kept
from headgate.mcp.owned import Owned
from headgate.mcp.people import People, Person
from headgate.mcp.spec import ServerSpec
from headgate.mcp.upstream import Upstream
from headgate.mcp.wiring import Connected, Link, Wiring, health_of, health_of_people, nowhere, unwelcome

log = structlog.get_logger("headgate.mcp")

IDLE = 300.0
"""Seconds after which a connection that was of no use is closed."""


class Personal(Upstream):
    """The server `env.name`."""

    def __init__(self, spec: ServerSpec, own: OAuth2User, env: Env, grants: Grants, connected: Connected) -> None:
        super().__init__(env.name, spec, Wiring(nowhere, env.changed, env.scrub))
        self.idle = IDLE
        self.own = own
        self.http = env.http
        self._scrub = env.scrub
        self.grants = grants
        self._people = People(env.name, spec, connected, env.scrub, self._heard)
        self._granted: set[str] = set()
        self._lister = ""
        self._looking: Owned | None = None
        self._news = asyncio.Event()
        self._unkept = False

    def serves(self, account: str) -> bool:
        """Whether the account has granted access."""
        return account in self._granted

    @property
    def health(self) -> ServerHealth:
        """How it is now: as its connections are, if there are any."""
        state: Literal["ready", "unauthorized"] = "ready" if self.listed else "unauthorized"
        own = health_of(self.spec.kind, None, self._absence, self.listing, 0)
        own = replace(own, state=state, authorizations=len(self._granted))
        looking = self._looking.upstream.health if self._looking is not None else None
        return health_of_people(own, [each.upstream.health for each in self._people.all], looking)

    @property
    def connected(self) -> list[str]:
        """The accounts that are connected now."""
        return [each.granted.account for each in self._people.all]

    def look(self) -> None:
        """Has idle connections looked for now."""
        self._news.set()

    async def recall(self) -> None:
        """Finds what was kept: who has granted access, and what the server lists."""
        self._granted = await self.grants.accounts()
        found = await self.grants.recall(LISTING, KeptListing)
        if found is None:
            self._looking = self._people.connecting("", None)
            return
        self._lister, self.listed = found.lister, True
        self._take(found.listing)

    async def recount(self) -> None:
        """Somebody else has changed what is kept: connections of those go who have no grant any more."""
        self._granted = await self.grants.accounts()
        for person in self._people.all:
            if person.granted.account not in self._granted:
                await self._people.end(person)

    async def keep(self) -> None:
        """Supervised boundary: sees to what is idle and to what was listed, until it is cancelled; a failure is logged,
        and the next look is another one."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self.idle / 4):
                    await self._news.wait()
            self._news.clear()
            try:
                await self._tend()
            except Exception:
                log.exception("mcp.not_tended", server=self.name)

    async def _tend(self) -> None:
        if self._unkept:
            self._unkept = False
            await self.grants.keep(LISTING, kept(self.listing, self.grants.binding, self._lister))
        if self._looking is not None and self.listed:
            await self._looked()
        await self._people.end_idle(self.idle)

    async def close(self) -> None:
        """Ends every connection."""
        self.closing = True
        await self._looked()
        await self._people.end_all()

    async def _looked(self) -> None:
        looking, self._looking = self._looking, None
        if looking is not None:
            await looking.end()

    def _heard(self, account: str, upstream: Upstream) -> None:
        """A connection lists something: that is what all are offered, unless somebody else's listing is, who is still
        there. Otherwise two accounts that are offered different tools would take turns."""
        if self.listed and account != self._lister and self._lister in self._granted:
            return
        self._lister, self.listed = account, True
        self._take(upstream.listing)
        self._unkept = True
        self.look()

    async def warm(self, timeout: float, /) -> ErrorInfo | None:
        """Waits until its tools are known, or until it is known that somebody has to grant access first."""
        looking = self._looking
        if looking is None or self.listed:
            return None
        error = await looking.upstream.warm(timeout)
        if unwelcome(looking.upstream.health):
            await self._looked()
            return None
        return error

    async def renew(self, timeout: float) -> ErrorInfo | None:
        """Ends every connection; whose listing it is connects again, or somebody does without a credential. The gateway
        registers itself anew when somebody is asked the next time."""
        await self.grants.forget_client()
        await self._looked()
        for person in self._people.all:
            await self._people.end(person)
        held = await self.grants.read(self._lister) if self._lister else None
        if held is None:
            self.listed = self.listed and bool(self._granted)
            self._looking = self._people.connecting("", None)
            return await self.warm(timeout)
        return await self._people.open(self._signing(self._lister, held.grant)).upstream.warm(timeout)

    async def perform(self, work: Callable[[Link], Awaitable[Any]], asking: Asking) -> Any:
        """See `Upstream.perform`; `ToolError("auth_required")` says that the person has to grant access first."""
        person = await self._person(asking.account)
        try:
            with person.busy():
                return await person.upstream.perform(work, asking)
        except ToolError as error:
            raise await self._judged(person, error) from error

    async def _person(self, account: str) -> Person:
        """The account's connection, of the grant that there is now."""
        held, person = await self.grants.read(account), self._people.get(account)
        if person is not None and (held is None or person.granted.grant != held.grant.id):
            await self._people.end(person)
        if held is None:
            self._granted.discard(account)
            raise self._required("missing")
        self._granted.add(account)
        return self._people.get(account) or self._people.open(self._signing(account, held.grant))

    def _signing(self, account: str, grant: Grant) -> Granted:
        return Granted(self.grants, account, grant.id, self.http, self.own.client_secret)

    async def _judged(self, person: Person, error: ToolError) -> ToolError:
        """The failure of a call; what is wrong with the grant is for the person to mend."""
        granted = person.granted
        if error.code == "connection_error" and await self.grants.read(granted.account) is None:
            granted.trouble = "lost"  # taken back meanwhile
        elif error.code != "auth_error" or error.retryable or not granted.trouble:
            return error
        trouble, granted.trouble = granted.trouble, ""
        if trouble == "scope":
            await granted.want()
            return self._required(trouble, granted.wanted)
        await self._people.end(person)
        if trouble == "lost":
            self._granted.discard(granted.account)
        return self._required(trouble)

    def _required(self, trouble: Trouble | str, scope: str = "") -> ToolError:
        route = f"/v1/mcp/{self.name}/authorize"
        why = _WHY.get(trouble, _WHY["missing"]) + (f" ({scope})" if scope else "")
        message = (
            f"MCP server {self.name} is used with the caller's own account, and {why}. The caller can grant it in a "
            f"browser: POST {route} with their key answers a link, and so does 'headgate mcp authorize {self.name}'. "
            "Tell them so; after that, make the call again."
        )
        details = {"server": self.name, "authorize": route, "reason": trouble, **({"scope": scope} if scope else {})}
        return ToolError("auth_required", self._scrub(message), details=details)

    async def connect(self, account: str, grant: Grant) -> ErrorInfo | None:
        """Connects with what the account has just granted; why that failed."""
        await self.disconnect(account)
        await self._looked()
        self._granted.add(account)
        person = self._people.get(account) or self._people.open(self._signing(account, grant))
        with person.busy():
            error = await person.upstream.warm(self.spec.connection_timeout or 10.0)
        if error is not None and error.code == "auth_error":
            await self._people.end(person)
        return error

    async def disconnect(self, account: str) -> None:
        """Ends the connection of the account, which has no grant any more, or another one."""
        self._granted.discard(account)
        person = self._people.get(account)
        if person is not None:
            await self._people.end(person)


_WHY = {
    "missing": "they have not let the gateway use it",
    "lost": "the access that they granted has ended",
    "refused": "the server does not take the access that they granted",
    "scope": "the server wants more access than they granted",
}


@contextlib.asynccontextmanager
async def personal(spec: ServerSpec, own: OAuth2User, env: Env, connected: Connected) -> AsyncIterator[Personal]:
    """The server, open; leaving closes every connection to it."""
    if env.vault is None:
        raise ConfigError("what people grant cannot be kept here", key=("auth",))
    server = Personal(spec, own, env, Grants(env.vault, env.name, binding_of(spec)), connected)
    await server.recall()
    keeper = asyncio.create_task(server.keep(), name=f"keeper of MCP server {env.name}")
    try:
        yield server
    finally:
        keeper.cancel()
        await asyncio.wait([keeper])
        await server.close()
