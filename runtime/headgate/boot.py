"""The composition root: settings and a tree in, a running gateway out."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import secrets
import signal
import socket
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import structlog
import uvicorn

from headgate import __version__
from headgate.compile.checks.gateway import is_loopback
from headgate.compile.checks.keys import DEMO_KEYS
from headgate.compile.checks.servers import check_callback
from headgate.compile.compiler import Compiler
from headgate.compile.draft import Draft
from headgate.compile.plan import Snapshot
from headgate.connect import Connection
from headgate.core.context import Principal
from headgate.core.errors import ConfigError
from headgate.core.kind import Finding, Kinds
from headgate.engine.amend import Amender
from headgate.engine.custodian import Custodian
from headgate.engine.host import Host
from headgate.engine.keeper import Keeper
from headgate.engine.overlays import custody_of
from headgate.engine.pinning import Pinning
from headgate.engine.reload import Reloader
from headgate.engine.watcher import Watcher
from headgate.kinds import DEFAULT_KINDS
from headgate.manifest.diagnostics import Diagnostic
from headgate.server.app import create_app
from headgate.server.door import Door
from headgate.server.edge import Edge
from headgate.server.protocol import BoundedProtocol
from headgate.server.seal import Seal
from headgate.server.tokens import Tokens
from headgate.state import prepare, session_secret, sole_owner
from headgate.stores.port import Ledger

log = structlog.get_logger("headgate.boot")

KEEPALIVE = 15.0
"""Seconds of wall time between keepalive frames."""
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
    app: Door
    host: str
    port: int

    @property
    def snapshot(self) -> Snapshot:
        """The live revision."""
        return self.edge.snapshot


@contextlib.asynccontextmanager
async def open_gateway(
    place: Place, *, watch: bool = True, keepalive: float = KEEPALIVE, guest: Principal | None = None
) -> AsyncIterator[Gateway]:
    """Boots the tree, opens the ledger, goes on with the runs in it, and reloads after every edit; leaving stops all.

    With a `guest`, who may have runs though no key stands for it, only what this process began is gone on with. Raises
    `BootError` with every finding when the tree is wrong, `ConfigError` when it may not be served like this.
    """
    if not place.tree.is_dir():
        raise ConfigError(f"the tree {place.tree} does not exist", hint="name a folder that holds a gateway.toml")
    environ = place.environment()
    state = prepare(place.state_dir)
    compiler = Compiler(place.tree, place.kinds, environ, secret_key=secrets.token_bytes(32))
    address = _Address(place.host)
    reloader = Reloader(compiler, environ, state, vet=address.vet)
    async with contextlib.AsyncExitStack() as stack:
        stack.enter_context(sole_owner(state, state / "lock"))
        stack.push_async_callback(reloader.close)
        connection = Connection(place.tree, state, stack)
        snapshot = await reloader.boot(connection)
        stack.push_async_callback(_let_go, snapshot)
        server = snapshot.gateway.server
        address.host = place.host or server.host
        ledger = connection.ledger
        host = Host(ledger, snapshot, state, guest)
        stack.push_async_callback(host.stop, 0)
        reloader.attach(host)
        signing = snapshot.gateway.auth.session_secret or session_secret(state)
        amender = Amender(reloader)
        custody = custody_of(reloader.overlays)
        custodian = Custodian(custody) if custody is not None else None
        port = server.port if place.port is None else place.port
        edge = Edge(
            host, reloader, amender, Tokens(lambda: signing), Seal(lambda: signing), keepalive,
            own_url=url_of(address.host, port), custodian=custodian,
        )  # fmt: skip
        await _orphans(ledger, claims=guest is None)
        await host.accounts.keep(snapshot.gateway.budgets)
        await host.auditor.tell("gateway.started", details={"revision": snapshot.revision, "version": __version__})
        await stack.enter_async_context(Keeper(host, claims=guest is None, custodian=custodian).at_work())
        await stack.enter_async_context(reloader.relisting.at_work(Pinning(reloader, amender, host).settle))
        await stack.enter_async_context(Watcher(reloader, amender).at_work(tree=watch))
        app = create_app(edge, server, bound=address.host)
        yield Gateway(edge, app, address.host, port)


def url_of(host: str, port: int) -> str:
    """Where a process that listens there is reached from this machine."""
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


@dataclass(slots=True)
class _Address:
    """The address that this process binds, or is told to bind, whatever the tree comes to say."""

    host: str | None

    def vet(self, draft: Draft) -> Iterator[Diagnostic]:
        """The demo key never leaves loopback."""
        if self.host is None or is_loopback(self.host) or draft.gateway is None or draft.gateway_site is None:
            return
        yield from check_callback(draft, self.host)
        for name, key in draft.gateway.auth.keys.items():
            if key.digest in DEMO_KEYS:
                message = f"key {name!r} is the demo key, and the server binds {self.host}"
                hint = "set a key of your own, or bind 127.0.0.1"
                yield from draft.gateway_site.diagnose(Finding(("auth", "keys", name, "key"), "HG1404", message, hint))


async def _let_go(snapshot: Snapshot) -> None:
    snapshot.retire()
    await snapshot.closed()


async def _orphans(ledger: Ledger, *, claims: bool) -> None:
    """This process is the only one on the ledger: whoever owned runs of it is dead."""
    left = await ledger.release_all() if claims else 0
    if left:
        log.info("runs.found", count=left, reason="the process before did not end them; they go on")


class GatewayServer(uvicorn.Server):
    """uvicorn, but running work ends before connections are closed, so that streams end by themselves."""

    def __init__(self, gateway: Gateway, *, grace: float = GRACE) -> None:
        super().__init__(
            uvicorn.Config(
                gateway.app,
                host=gateway.host,
                port=gateway.port,
                loop="uvloop",
                http=BoundedProtocol,
                ws="none",
                lifespan="on",
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=5,
                timeout_keep_alive=75,  # longer than the pools of clients and proxies, or they meet closed connections
            )
        )
        self._gateway = gateway
        self._grace = grace

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leaves signals to the caller: uvicorn would raise them again at the end and kill the process before the
        ledger is closed."""
        yield

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Drains, then closes."""
        await self._gateway.edge.host.stop(self._grace)
        await super().shutdown(sockets)


async def serve(place: Place, announce: Callable[[Gateway, int], None]) -> None:
    """Serves until SIGINT or SIGTERM; `announce` is called with the port once it is bound."""
    async with _reserved(place) as (place, held), open_gateway(place) as gateway:
        listener = _taken(held, gateway)
        port = listener.getsockname()[1]
        log.info("serving", url=f"http://{gateway.host}:{port}", revision=gateway.snapshot.revision[:12])
        if gateway.snapshot.demo:
            log.warning("demo", reason="no model provider is configured: answers come from a script")
        server = GatewayServer(gateway)
        for each in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(each, server.handle_exit, each, None)
        settle_memory()
        announce(gateway, port)
        await server.serve(sockets=[listener])


@contextlib.asynccontextmanager
async def listening(place: Place, guest: Principal) -> AsyncIterator[Gateway]:
    """A gateway of the guest's that serves until the block is left, for a command that browsers come back to."""
    async with _reserved(place) as (place, held), open_gateway(place, watch=False, guest=guest) as gateway:
        server = GatewayServer(gateway, grace=0)
        task = asyncio.create_task(server.serve(sockets=[_taken(held, gateway)]), name="counter")
        try:
            while not server.started and not task.done():  # noqa: ASYNC110 -- uvicorn has nothing to wait for
                await asyncio.sleep(0.005)
            yield gateway
        finally:
            server.should_exit = True
            await task


@contextlib.asynccontextmanager
async def _reserved(place: Place) -> AsyncIterator[tuple[Place, socket.socket | None]]:
    """The place, with a port that is held for it if any will do: manifests may refer to it before it is served."""
    if place.port != 0:
        yield place, None
        return
    with _bind(place.host or "127.0.0.1", 0) as held:
        yield replace(place, port=held.getsockname()[1]), held


def _taken(held: socket.socket | None, gateway: Gateway) -> socket.socket:
    if held is None:
        return _bind(gateway.host, gateway.port)
    if held.getsockname()[0] == gateway.host:
        return held
    held.close()  # the tree binds another address, which may contain this one
    return _bind(gateway.host, gateway.port)


def settle_memory() -> None:
    """Takes what is there after start-up out of later collections, which would walk all of it and pause streams."""
    gc.collect()
    gc.freeze()


def _bind(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(2048)  # from here on clients wait in the queue instead of being refused
    except OSError as error:
        listener.close()
        raise ConfigError(
            f"cannot listen on {host}:{port}: {error.strerror}", hint="choose another --port, or stop who listens there"
        ) from None
    return listener
