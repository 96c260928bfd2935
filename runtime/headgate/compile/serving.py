"""The typed form of the tables of `gateway.toml` that are about the process: where it listens, what it keeps, and how
it starts and reloads."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from headgate.core.kind import Spec
from headgate.core.scalars import Duration, Patience, SomeSize

RESTART = {"x-reload": "restart"}
HOST = r"^([A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?|[0-9A-Fa-f]*:[0-9A-Fa-f]*:[0-9A-Fa-f:.]*)$"
URL = r"^https?://[^\s/?#@]+(/[^\s?#]*)?$"
ORIGIN = r"^(\*|https?://[^\sA-Z/?#@*]+)$"
"""The patterns of a host, of the gateway's own URL, and of an origin as browsers send it."""
Host = Annotated[str, Field(pattern=HOST, examples=["gateway.example.com", "10.0.0.7"])]
Positive = Annotated[int, Field(ge=1)]
Lasting = Patience


class Cors(Spec):
    """Cross-origin access of browsers."""

    origins: tuple[Annotated[str, Field(pattern=ORIGIN, examples=["https://chat.example.com"])], ...] = ()
    """Origins that may call the gateway from a browser, such as `https://chat.example.com`."""


class ServerLimits(Spec):
    """Hard limits at the door."""

    body: SomeSize = 4 << 20
    """The largest request body; more is answered with 413."""
    sessions: Positive = 10_000
    """Unexpired sessions that one key may hold; more is answered with 429."""
    runs: Positive = 1_000
    """Runs that may be in progress at once; more is answered with 503."""
    streams_per_key: Positive = 500
    """Streams that one key may hold open at once; more is answered with 429."""


class Server(Spec):
    """Where the gateway listens, and to whom it answers."""

    host: Host = "127.0.0.1"
    """The address to bind. Anything wider than loopback needs a key that is not the demo key."""
    port: Annotated[int, Field(ge=0, le=65535)] = 8000
    """The TCP port; 0 picks a free one."""
    public_url: Annotated[str, Field(pattern=URL, examples=["https://agents.example.com"])] | None = None
    """The URL under which clients reach the gateway; its host is accepted in `Host` and `Origin`."""
    allowed_hosts: tuple[Host, ...] = ()
    """More host names that are accepted in the `Host` header, besides loopback and `public_url`."""
    cors: Cors = Cors()
    """Cross-origin access of browsers."""
    limits: ServerLimits = ServerLimits()
    """Hard limits at the door."""


class Store(Spec):
    """Where runs, sessions and messages are committed."""

    url: str = "sqlite:///.headgate/state.db"
    """`sqlite:///` and a path, relative to the tree."""


class Retention(Spec):
    """How long what was committed is kept; it is deleted some time after that, a little at a time."""

    runs: Lasting = 30 * 86400.0
    """An ended run that belongs to no session is deleted this long after its end. Of one that belongs to a session the
    steps are deleted then; its messages stay as long as the session."""
    events: Lasting = 7 * 86400.0
    """The event log of a run is deleted this long after its end; until then it can be followed and read again."""
    sessions: Lasting = 90 * 86400.0
    """A session and its runs are deleted this long after the session was last used."""
    audit: Lasting = 400 * 86400.0
    """Records of the audit log are trimmed, from the oldest on, this long after they were written."""
    usage: Lasting = 400 * 86400.0
    """What a model turn used is forgotten this long after the turn."""


class Reload(Spec):
    """How an edit becomes the live revision."""

    settle: Duration = 0.2
    """How long the files must stay unchanged before they are read as one edit."""
    warm: Literal["proceed", "abort"] = "proceed"
    """What happens when an MCP server that an edit brings is not ready within its `connection_timeout`: `proceed` goes
    live without its tools, which come when it is; `abort` keeps the revision before."""
    drain: Duration = 600.0
    """How long runs may go on with the revision that they started on."""
    require_tests: bool = False
    """Whether a revision whose inline tests fail is rejected."""


class Boot(Spec):
    """What happens when the tree is broken at start-up."""

    on_invalid: Literal["fail", "last_good"] = "fail"
    """`fail` refuses to start; `last_good` serves the last revision that was live, and says so."""
