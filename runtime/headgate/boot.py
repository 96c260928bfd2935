"""The composition root: settings and a tree in, a running gateway out."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import socket
import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

import structlog
import uvicorn
from litestar import Litestar

from headgate.compile.checks.gateway import DEMO_KEYS, is_loopback
from headgate.compile.compiler import Compiler
from headgate.compile.plan import Snapshot
from headgate.core.errors import ConfigError
from headgate.core.kind import Kinds
from headgate.engine.host import Host
from headgate.engine.reload import Reloader
from headgate.kinds import DEFAULT_KINDS
from headgate.server.app import create_app
from headgate.server.edge import Edge
from headgate.server.tokens import Tokens
from headgate.state import prepare, session_secret, sole_owner
from headgate.stores import open_ledger
from headgate.stores.records import Ledger

log = structlog.get_logger("headgate.boot")

GRACE = 10.0
"""Seconds that running work gets when the process is asked to stop."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a gateway runs: its tree, its state directory, and what overrides the tree's own address."""

    tree: Path
    state: Path | None = None
    host: str | None = None
    port: int | None = None
    environ: Mapping[str, str] = field(default_factory=lambda: dict(os.environ), repr=False)
    kinds: Kinds = DEFAULT_KINDS

    @property
    def state_dir(self) -> Path:
        """`.headgate` in the tree unless another is given."""
        return self.state or self.tree / ".headgate"

    def environment(self) -> dict[str, str]:
        """The environment that manifests see: an overridden address is in it, so that they can refer to it."""
        given = {"HEADGATE_HOST": self.host, "HEADGATE_PORT": self.port}
        return {**self.environ, **{name: str(value) for name, value in given.items() if value}}


@dataclass(frozen=True, slots=True)
class Gateway:
    """A running gateway: the edge, its application, and where it wants to listen."""

    edge: Edge
    app: Litestar
    host: str
    port: int

    @property
    def snapshot(self) -> Snapshot:
        """The live revision."""
        return self.edge.snapshot


@contextlib.asynccontextmanager
async def open_gateway(place: Place, *, watch: bool = True) -> AsyncIterator[Gateway]:
    """Boots the tree, opens the ledger, and reloads after every edit; leaving stops everything.

    Raises `BootError` with every finding when the tree is wrong, `ConfigError` when it may not be served like this.
    """
    environ = place.environment()
    state = prepare(place.state_dir)
    compiler = Compiler(place.tree, place.kinds, environ, secret_key=secrets.token_bytes(32))
    reloader = Reloader(compiler, environ, state)
    with sole_owner(state):
        snapshot = await reloader.boot()
        try:
            address = place.host or snapshot.gateway.server.host
            _require_safe(snapshot, address)
            async with open_ledger(snapshot.gateway.store.url, place.tree) as ledger:
                await _tidy(ledger)
                host = Host(ledger, snapshot)
                reloader.attach(host)
                tokens = Tokens(snapshot.gateway.auth.session_secret or session_secret(state))
                edge = Edge(host, reloader, tokens)
                app = create_app(edge, snapshot.gateway.server, bound=address)
                port = place.port if place.port is not None else snapshot.gateway.server.port
                async with _watching(reloader, watch=watch):
                    yield Gateway(edge, app, address, port)
                await host.stop(0)
                snapshot = host.snapshot
        finally:
            snapshot.retire()
            await snapshot.closed()


def _require_safe(snapshot: Snapshot, address: str) -> None:
    demo = {sha256(key.encode()).hexdigest() for key in DEMO_KEYS}
    named = [each.key for digest, each in snapshot.principals.items() if digest in demo]
    if named and not is_loopback(address):
        raise ConfigError(
            f"key {named[0]!r} is the demo key, and the server would bind {address}",
            hint="set a key of your own, or bind 127.0.0.1",
        )


async def _tidy(ledger: Ledger) -> None:
    interrupted = await ledger.interrupt_runs(time.time())
    if interrupted:
        log.warning("runs.interrupted", count=interrupted, reason="the process before did not end them")


@contextlib.asynccontextmanager
async def _watching(reloader: Reloader, *, watch: bool) -> AsyncIterator[None]:
    if not watch:
        yield
        return
    stop = asyncio.Event()
    task = asyncio.create_task(reloader.watch(stop), name="watch the tree")
    try:
        yield
    finally:
        stop.set()
        await task


class GatewayServer(uvicorn.Server):
    """uvicorn, but running work ends before connections are closed, so that streams end by themselves."""

    def __init__(self, gateway: Gateway, *, grace: float = GRACE) -> None:
        super().__init__(
            uvicorn.Config(
                gateway.app,
                host=gateway.host,
                port=gateway.port,
                loop="uvloop",
                http="httptools",
                ws="none",
                lifespan="on",
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=5,
                h11_max_incomplete_event_size=64 << 10,
            )
        )
        self._gateway = gateway
        self._grace = grace

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Drains, then closes."""
        await self._gateway.edge.host.stop(self._grace)
        await super().shutdown(sockets)


async def serve(place: Place, announce: Callable[[Gateway, int], None]) -> None:
    """Serves until a signal; `announce` is called with the port once it is bound."""
    async with open_gateway(place) as gateway:
        listener = _bind(gateway.host, gateway.port)
        port = listener.getsockname()[1]
        log.info("serving", url=f"http://{gateway.host}:{port}", revision=gateway.snapshot.revision[:12])
        if gateway.snapshot.demo:
            log.warning("demo", reason="no model provider is configured: answers come from a script")
        announce(gateway, port)
        await GatewayServer(gateway).serve(sockets=[listener])


def _bind(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise ConfigError(
            f"cannot listen on {host}:{port}: {error.strerror}", hint="choose another --port, or stop who listens there"
        ) from None
    return listener
