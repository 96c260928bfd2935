"""What every route may use: the host, the reloader, and the session tokens."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from headgate.compile.plan import Snapshot
from headgate.engine.amend import Amender
from headgate.engine.custodian import Custodian
from headgate.engine.host import Host
from headgate.engine.reload import Reloader
from headgate.engine.status import Status
from headgate.server.link_tokens import Guesses
from headgate.server.seal import Seal
from headgate.server.tokens import Tokens


@dataclass(frozen=True, slots=True)
class Edge:
    """The running gateway, as its routes see it."""

    host: Host
    reloader: Reloader
    amender: Amender
    tokens: Tokens
    seal: Seal
    keepalive: float = 15.0
    """Seconds of wall time between keepalive frames of a stream."""
    guesses: Guesses = field(default_factory=Guesses)
    started: float = field(default_factory=time.time)
    own_url: str = ""
    """Where this process listens."""
    custodian: Custodian | None = None

    @property
    def base(self) -> str:
        """Where browsers reach the gateway. One that was opened for a command is reached on this machine alone."""
        public = self.snapshot.gateway.server.public_url if self.host.guest is None else None
        return (public or self.own_url).rstrip("/")

    @property
    def snapshot(self) -> Snapshot:
        """The live revision."""
        return self.host.snapshot

    async def tidy(self) -> None:
        """Forgets what people granted to servers, and with keys, that are gone; raises `StoreError`."""
        if self.custodian is not None:
            await self.custodian.tidy(self.snapshot)

    @property
    def status(self) -> Status:
        """The conditions."""
        return self.reloader.status
