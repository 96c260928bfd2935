"""One edit: files -> findings or a new live snapshot. What is live is never touched by an edit that is wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

import structlog

from headgate.compile.aside import Spare, spares_all, spares_none, spares_servers, with_mending
from headgate.compile.build import Builder, BuildError
from headgate.compile.compiler import Compiled, Compiler
from headgate.compile.draft import Draft
from headgate.compile.keyring import Keyring
from headgate.compile.overlay import NO_OVERLAY, Overlay, OverlayDocument
from headgate.compile.plan import Snapshot
from headgate.compile.specs import Gateway
from headgate.core.context import Principal
from headgate.core.errors import ConfigError, PreconditionFailed
from headgate.engine import bundle, relisting
from headgate.engine.host import Host
from headgate.engine.overlays import Overlays, custody_of
from headgate.engine.relisting import Relisting
from headgate.engine.reloaded import Reloaded, audited, key_changes, swapped
from headgate.engine.restart import warn
from headgate.engine.standing import Standing
from headgate.engine.status import Status
from headgate.engine.trial.gate import Gate
from headgate.manifest.diagnostics import Diagnostic, render_text
from headgate.manifest.redaction import Redactor
from headgate.manifest.tree import ROOT_FILE, Tree

log = structlog.get_logger("headgate.reload")


class BootError(ConfigError):
    """The tree cannot be served, and there is nothing to fall back to."""

    default_code = "invalid_tree"

    def __init__(self, diagnostics: tuple[Diagnostic, ...]) -> None:
        super().__init__(f"the tree has errors:\n{render_text(diagnostics)}")
        self.diagnostics = diagnostics


Vet = Callable[[Draft], Iterable[Diagnostic]]
"""Findings that depend on how the process runs, not on the tree alone."""
Connect = Callable[[Gateway], Awaitable[Overlays]]
"""Opens the ledger that the gateway names, for the overlay in it."""


Check = Callable[[Compiled], None]
Keep = Callable[[Compiled], Awaitable[None]]


def _nothing(_draft: Draft) -> Iterable[Diagnostic]:
    return ()


def _fine(_compiled: Compiled) -> None:
    return None


async def _unkept(_compiled: Compiled) -> None:
    return None


class Reloader:
    """Compiles tree and overlay and swaps them in; one attempt at a time, by whoever holds `turn`."""

    def __init__(
        self, compiler: Compiler, environ: Mapping[str, str], state: Path, *, vet: Vet = _nothing,
        status: Status | None = None,
    ) -> None:  # fmt: skip
        self.compiler = compiler
        self.status = status or Status()
        self._standing = Standing(self.status)
        self.turn = asyncio.Lock()
        self.overlays: Overlays | None = None
        self.environ, self._state = environ, state
        self._vet, self._gate = vet, Gate(environ)
        self._host: Host | None = None
        self._keyring = Keyring(compiler, environ)
        self._outside: frozenset[Path] = frozenset()
        self._overlay = NO_OVERLAY
        self._tree: Tree | None = None
        self._compiled: Compiled | None = None
        self.relisting = Relisting()

    async def boot(self, connect: Connect | None = None) -> Snapshot:
        """The first snapshot: the tree's own, or the last good one where `[boot]` says so; raises `BootError`. The
        overlay is read as soon as the tree says where it is."""
        compiled = await self._laid(await self._compile(None), connect)
        try:
            snapshot = await self._open(compiled, None)
        except BuildError as error:
            snapshot = await self._fall_back(compiled, error.diagnostics, connect)
        else:
            self._tree, self._compiled = compiled.draft.tree, compiled
            await self._accept(snapshot, compiled)
        self._standing.booted = snapshot.gateway
        return snapshot

    async def close(self) -> None:
        """Closes the secret back-ends."""
        await self._keyring.forget()

    def attach(self, host: Host) -> None:
        """The host whose snapshot is swapped from now on."""
        self._host = host

    async def _laid(self, compiled: Compiled, connect: Connect | None, *, kept: bool = False) -> Compiled:
        """The tree with its overlay, which is read if the tree says where it is and was not read before."""
        gateway = compiled.draft.gateway
        wrong = any(each.severity == "error" and each.path == ROOT_FILE for each in compiled.diagnostics)
        if self.overlays is None and connect is not None and gateway is not None and not wrong:
            self.overlays = await connect(gateway)
            self._overlay = await self.overlays.read()
        if self._overlay is compiled.draft.overlay:
            return compiled
        # Nobody can mend a document through the API before there is one.
        return await self._compile(compiled.draft.tree, kept=kept, spare=spares_all)

    async def _fall_back(
        self, compiled: Compiled, findings: tuple[Diagnostic, ...], connect: Connect | None
    ) -> Snapshot:
        kept = await asyncio.to_thread(bundle.recall, self._state, self.compiler.root)
        earlier = await self._compile(kept, kept=True) if kept is not None else None
        if earlier is None or not _lenient(compiled, earlier):
            raise BootError(findings)
        try:
            earlier = await self._laid(earlier, connect, kept=True)
            snapshot = await self._open(earlier, None, tested=True)
        except BuildError:
            raise BootError(findings) from None
        self._tree, self._compiled = kept, earlier
        self._standing.accept(snapshot)
        self._standing.reject(compiled, findings)
        self.status.set("Degraded", True, "LastGood", "the tree has errors; the last good revision is served")
        return snapshot

    async def reload(
        self, tree: Tree | None = None, *, match: Collection[str] | None = None, by: Principal | None = None
    ) -> Reloaded:
        """Makes the tree live if it is in order; the live revision serves on if it is not.

        Without a tree it is read now, secrets too, and one that was rejected before is tried again. Raises
        `PreconditionFailed` when the tag of the live snapshot is none of `match`. `by` is who asked; nobody: the watch.
        """
        async with self.turn:
            if match is not None and self.live.tag not in match:
                raise PreconditionFailed("the live revision is another one; read /v1/status and decide again")
            if tree is None:
                await self._keyring.forget()
            return await self._attempt(tree, by)

    async def retry(self) -> None:
        """Tries a tree that was rejected again, now that the overlay is another one; for who holds `turn`."""
        if self._standing.rejected is not None:
            await self._attempt(await asyncio.to_thread(self.compiler.scan))

    async def _attempt(self, tree: Tree | None, by: Principal | None = None) -> Reloaded:
        live = self.live
        compiled = await self._compile(tree, spare=partial(_spared, live))
        if compiled.stamp == live.stamp:
            self._standing.accept(live)
            return Reloaded("unchanged", live.revision)
        if tree is not None and compiled.stamp == self._standing.rejected:
            return Reloaded("rejected", compiled.revision, diagnostics=self.status.diagnostics)
        try:
            snapshot = await self._open(compiled, live)
        except BuildError as error:
            findings = with_mending(self._overlay, error.diagnostics)
            self._standing.reject(compiled, findings)
            refused = Reloaded("rejected", compiled.revision, diagnostics=findings)
            return await audited(refused, self._host, by)
        self._tree, self._compiled = compiled.draft.tree, compiled
        keys, changed = key_changes(live, snapshot), await swapped(self.host, compiled, snapshot)
        await self._accept(snapshot, compiled)
        done = Reloaded("applied", snapshot.revision, changed, compiled.warnings, keys)
        return await audited(done, self._host, by)

    async def revise(
        self, overlay: Overlay, vet: Check = _fine, keep: Keep = _unkept, spare: Spare = spares_none
    ) -> None:
        """Makes the overlay live with the tree that is live already, whatever the files are now; for who holds `turn`.
        `vet` may raise before anything is opened. `keep` is called before the swap, and when it raises nothing has
        changed. What does not fit is set aside if `spare` lets it; raises `BuildError` when the two do not compile."""
        compiled = await self._keyring.compile(self._tree, kept=True, overlay=overlay, ask=False, spare=spare)
        vet(compiled)
        snapshot = await self._open(compiled, self.live, tested=True)
        try:
            await keep(compiled)
        except BaseException:
            snapshot.retire()
            raise
        self._overlay, self._compiled = overlay, compiled
        await swapped(self.host, compiled, snapshot)
        self._standing.revise(snapshot)

    @property
    def host(self) -> Host:
        """Whose snapshot is swapped; raises `ConfigError` before there is one."""
        if self._host is None:
            raise ConfigError("nothing is live yet")
        return self._host

    @property
    def live(self) -> Snapshot:
        """The live snapshot."""
        return self.host.snapshot

    @property
    def outside(self) -> frozenset[Path]:
        """Files outside the tree that it refers to, as it was last read or is live."""
        return self._outside | self.live.outside

    async def rotated(self) -> bool:
        """Whether a secret is another one now; a back-end is asked again when what it keeps has become too old."""
        async with self.turn:
            return await self._keyring.changed()

    async def _compile(self, tree: Tree | None, *, kept: bool = False, spare: Spare = spares_none) -> Compiled:
        compiled = await self._keyring.compile(tree, kept=kept, overlay=self._overlay, spare=spare)
        self._outside = frozenset(compiled.draft.outside)
        return replace(compiled, diagnostics=(*compiled.diagnostics, *warn(self._standing.booted, compiled.draft)))

    async def _open(self, compiled: Compiled, live: Snapshot | None, *, tested: bool = False) -> Snapshot:
        """The revision, opened beside the live one; raises `BuildError`, whose findings hold no secret. One that was
        live before, and so is `tested`, is not tested again."""
        findings = (*compiled.diagnostics, *self._vet(compiled.draft))
        if any(each.severity == "error" for each in findings):
            raise BuildError(_scrubbed(findings, Redactor(compiled.draft.secrets)))
        failed = () if tested else await self._gate.findings(compiled.draft)
        if failed:
            raise BuildError(failed)
        return await self._build(compiled, live)

    async def refold(self) -> None:
        """Makes the live revision live again with the tools that its MCP servers list now; nothing is opened for it.
        Where these cannot be offered side by side, the tools of before stay, and the status says why."""
        async with self.turn:
            if self._compiled is None or self._host is None or not self.live.outdated:
                return
            with relisting.refusing(self.status):
                self._host.swap(await self._build(self._compiled, self.live))
                if self._standing.rejected is None:
                    self._standing.accept(self.live)

    async def _build(self, compiled: Compiled, live: Snapshot | None) -> Snapshot:
        return await Builder(compiled, live, self.environ, self.relisting.changed, custody_of(self.overlays)).build()

    async def _accept(self, snapshot: Snapshot, compiled: Compiled) -> None:
        """The revision is live: says so, and keeps it for a start with a broken tree."""
        self._standing.accept(snapshot)
        await bundle.keep(self._state, compiled.draft.tree)


def _spared(live: Snapshot, document: OverlayDocument) -> bool:
    """What an edit may set aside."""
    return spares_servers(document) or any(each.document == document for each in live.aside)


def _scrubbed(findings: Iterable[Diagnostic], redactor: Redactor) -> tuple[Diagnostic, ...]:
    scrub = redactor.scrub
    return tuple(replace(each, message=scrub(each.message), hint=scrub(each.hint)) for each in findings)


def _lenient(compiled: Compiled, kept: Compiled) -> bool:
    """Whether the tree, or the kept one when the tree's own gateway.toml cannot be read, wants `last_good`."""
    gateway = compiled.draft.gateway or kept.draft.gateway
    return gateway is not None and gateway.boot.on_invalid == "last_good"
