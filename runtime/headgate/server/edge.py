"""What every route may use: the host, the reloader, and the session tokens."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from headgate.compile.plan import Snapshot
from headgate.engine.amend import Amender
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

    @property
    def snapshot(self) -> Snapshot:
        """The live revision."""
        return self.host.snapshot

    @property
    def status(self) -> Status:
        """The conditions."""
        return self.reloader.status
