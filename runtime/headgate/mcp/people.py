"""The connections of people to one server: one each, opened when it is first needed, and closed when it is idle."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from headgate.mcp.granted import Granted, GrantedAuth
from headgate.mcp.owned import Owned
from headgate.mcp.spec import ServerSpec
from headgate.mcp.upstream import Upstream
from headgate.mcp.wiring import Connected, Wiring


@dataclass(eq=False, slots=True)
class Person:
    """One account's connection. `calls` are on their way over it, `used` is when it was last of use, on the loop's
    clock."""

    granted: Granted
    owned: Owned
    calls: int = 0
    used: float = field(default_factory=lambda: asyncio.get_running_loop().time())

    @property
    def upstream(self) -> Upstream:
        """The connection."""
        return self.owned.upstream

    @contextlib.contextmanager
    def busy(self) -> Iterator[None]:
        """It is of use until the block is left."""
        self.calls += 1
        try:
            yield
        finally:
            self.calls -= 1
            self.used = asyncio.get_running_loop().time()

    async def end(self) -> None:
        """Ends the connection; a token that is on its way is kept first."""
        await self.granted.settle()
        await self.owned.end()


class People:
    """Whoever is connected now, by account. `heard(account, upstream)` is called when a connection lists anything."""

    def __init__(
        self, name: str, spec: ServerSpec, connected: Connected, scrub: Callable[[str], str],
        heard: Callable[[str, Upstream], None],
    ) -> None:  # fmt: skip
        self._name, self._spec, self._scrub = name, spec, scrub
        self._connected = connected
        self._heard = heard
        self._held: dict[str, Person] = {}
        self._leaving: set[asyncio.Task[None]] = set()

    def get(self, account: str) -> Person | None:
        """The connection of the account."""
        return self._held.get(account)

    @property
    def all(self) -> list[Person]:
        """Every connection."""
        return list(self._held.values())

    def open(self, granted: Granted) -> Person:
        """Begins to connect for an account that is not connected."""
        person = Person(granted, self.connecting(granted.account, GrantedAuth(granted)))
        self._held[granted.account] = person
        return person

    def connecting(self, account: str, auth: GrantedAuth | None) -> Owned:
        """A connection for the account, or with no credential for nobody."""

        def listed() -> None:
            self._heard(account, upstream)

        upstream = Upstream(self._name, self._spec, Wiring(self._connected(auth), listed, self._scrub, auth is None))
        return Owned(upstream)

    async def end(self, person: Person) -> None:
        """Ends the connection, also when who wants it gives up waiting."""
        if self._held.get(person.granted.account) is person:
            del self._held[person.granted.account]
        task = asyncio.create_task(person.end(), name=f"end of {self._name} for {person.granted.account}")
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)
        await asyncio.shield(task)

    async def end_idle(self, seconds: float) -> None:
        """Ends the connections that were of no use for so long."""
        now = asyncio.get_running_loop().time()
        for person in self.all:
            if person.calls == 0 and now - person.used >= seconds:
                await self.end(person)

    async def end_all(self) -> None:
        """Ends every connection, and returns when all have ended."""
        for person in self.all:
            await self.end(person)
        while self._leaving:
            await asyncio.wait(tuple(self._leaving))
