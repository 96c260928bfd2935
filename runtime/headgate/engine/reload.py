"""One edit: files -> findings or a new live snapshot. What is live is never touched by an edit that is wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import structlog

from headgate.compile.build import Builder, BuildError
from headgate.compile.compiler import Compiled, Compiler
from headgate.compile.diff import NOTHING, Difference, difference
from headgate.compile.draft import Draft
from headgate.compile.keyring import Keyring
from headgate.compile.plan import Snapshot
from headgate.compile.specs import Gateway
from headgate.core.context import Principal
from headgate.core.errors import ConfigError, PreconditionFailed
from headgate.engine import bundle, relisting
from headgate.engine.host import Host
from headgate.engine.relisting import Relisting
from headgate.engine.reports import log_applied, scrubbed, tell_live, tell_rejected
from headgate.engine.restart import warn
from headgate.engine.status import Status
from headgate.engine.trial.gate import Gate
from headgate.manifest.diagnostics import Diagnostic, render_text
from headgate.manifest.redaction import Redactor
from headgate.manifest.tree import Tree
from headgate.manifest.watch import changes, settle

log = structlog.get_logger("headgate.reload")

POLL = 10.0
"""Seconds between looks at the digest, for file systems that send no events."""
_AGAIN = 1.0


@dataclass(frozen=True, slots=True)
class Reloaded:
    """What became of an attempt."""

    status: Literal["applied", "unchanged", "rejected"]
    revision: str
    difference: Difference = NOTHING
    diagnostics: tuple[Diagnostic, ...] = ()


class BootError(ConfigError):
    """The tree cannot be served, and there is nothing to fall back to."""

    default_code = "invalid_tree"

    def __init__(self, diagnostics: tuple[Diagnostic, ...]) -> None:
        super().__init__(f"the tree has errors:\n{render_text(diagnostics)}")
        self.diagnostics = diagnostics


Vet = Callable[[Draft], Iterable[Diagnostic]]
"""Findings that depend on how the process runs, not on the tree alone."""


def _nothing(_draft: Draft) -> Iterable[Diagnostic]:
    return ()


class Reloader:
    """Compiles the tree and swaps it in; one attempt at a time."""

    def __init__(
        self,
        compiler: Compiler,
        environ: Mapping[str, str],
        state: Path,
        *,
        vet: Vet = _nothing,
        status: Status | None = None,
    ) -> None:
        self.compiler = compiler
        self.status = status or Status()
        self._environ = environ
        self._state = state
        self._vet = vet
        self._gate = Gate(environ)
        self._lock = asyncio.Lock()
        self._host: Host | None = None
        self._keyring = Keyring(compiler, environ)
        self._booted: Gateway | None = None
        self._rejected: tuple[str, str] | None = None
        self._compiled: Compiled | None = None
        self.relisting = Relisting()
        self._outside: frozenset[Path] = frozenset()

    # -- boot -------------------------------------------------------------------------------------------------------

    async def boot(self) -> Snapshot:
        """The first snapshot: the tree's own, or the last good one where `[boot]` says so; raises `BootError`."""
        compiled = await self._compile(None)
        try:
            snapshot = await self._open(compiled, None)
        except BuildError as error:
            snapshot = await self._fall_back(compiled, error.diagnostics)
        else:
            await self._accept(snapshot, compiled)
        self._booted = snapshot.gateway
        return snapshot

    async def close(self) -> None:
        """Closes the secret back-ends."""
        await self._keyring.forget()

    def attach(self, host: Host) -> None:
        """The host whose snapshot is swapped from now on."""
        self._host = host

    async def _fall_back(self, compiled: Compiled, findings: tuple[Diagnostic, ...]) -> Snapshot:
        kept = await asyncio.to_thread(bundle.recall, self._state, self.compiler.root)
        earlier = await self._keyring.compile(kept, kept=True) if kept is not None else None
        if earlier is None or not _lenient(compiled, earlier):
            raise BootError(findings)
        try:
            snapshot = await self._open(earlier, None, tested=True)
        except BuildError:
            raise BootError(findings) from None
        self._compiled = earlier
        self._describe(snapshot)
        self._reject(compiled, findings)
        self.status.set("Degraded", True, "LastGood", "the tree has errors; the last good revision is served")
        return snapshot

    # -- reload -----------------------------------------------------------------------------------------------------

    async def reload(
        self, tree: Tree | None = None, *, match: Collection[str] | None = None, by: Principal | None = None
    ) -> Reloaded:
        """Makes the tree live if it is in order; the live revision serves on if it is not.

        Without a tree it is read now, secrets too, and one that was rejected before is tried again. Raises
        `PreconditionFailed` when the live revision is none of `match`. `by` is who asked for it; nobody: the watch.
        """
        async with self._lock:
            live = self._live
            if match is not None and live.revision not in match:
                raise PreconditionFailed("the live revision is another one; read /v1/status and decide again")
            if tree is None:
                await self._keyring.forget()
            compiled = await self._compile(tree)
            stamp = (compiled.revision, compiled.secrets_digest)
            if stamp == (live.revision, live.secrets_digest):
                self._describe(live)
                return Reloaded("unchanged", live.revision)
            if tree is not None and stamp == self._rejected:
                return Reloaded("rejected", compiled.revision, diagnostics=self.status.diagnostics)
            try:
                snapshot = await self._open(compiled, live)
            except BuildError as error:
                self._reject(compiled, error.diagnostics)
                rejected = Reloaded("rejected", compiled.revision, diagnostics=error.diagnostics)
                return await _audited(rejected, self._host, by)
            return await _audited(await self._swap(compiled, snapshot), self._host, by)

    @property
    def _live(self) -> Snapshot:
        if self._host is None:
            raise ConfigError("nothing is live yet")
        return self._host.snapshot

    async def _compile(self, tree: Tree | None) -> Compiled:
        compiled = await self._keyring.compile(tree)
        self._outside = frozenset(compiled.draft.outside)
        return replace(compiled, diagnostics=(*compiled.diagnostics, *warn(self._booted, compiled.draft)))

    async def _open(self, compiled: Compiled, live: Snapshot | None, *, tested: bool = False) -> Snapshot:
        """The revision, opened beside the live one; raises `BuildError`, whose findings hold no secret.

        The inline tests of one that was live before, and so is `tested`, are not run.
        """
        findings = (*compiled.diagnostics, *self._vet(compiled.draft))
        if any(each.severity == "error" for each in findings):
            raise BuildError(scrubbed(findings, Redactor(compiled.draft.secrets).scrub))
        failed = () if tested else await self._gate.findings(compiled.draft)
        if failed:
            raise BuildError(failed)
        return await Builder(compiled, live, self._environ, self.relisting.changed).build()

    async def refold(self) -> None:
        """Makes the live revision live again with the tools that its MCP servers list now; nothing is opened for it.

        Where these cannot be offered side by side, the tools of before stay, and the status says why.
        """
        async with self._lock:
            live = self._live
            if self._compiled is None or self._host is None or not live.outdated:
                return
            try:
                snapshot = await Builder(self._compiled, live, self._environ, self.relisting.changed).build()
            except BuildError as error:
                relisting.refuse(self.status, error.diagnostics)
                return
            self._host.swap(snapshot)
            if self._rejected is None:
                self._describe(snapshot)

    async def _swap(self, compiled: Compiled, snapshot: Snapshot) -> Reloaded:
        changed = difference(self._live.fingerprints, snapshot.fingerprints)
        if self._host is not None:
            self._host.swap(snapshot)
            self._host.poke()  # the keeper counts against the budgets of this revision
        log_applied(snapshot, changed, compiled)
        await self._accept(snapshot, compiled)
        return Reloaded("applied", snapshot.revision, changed, compiled.warnings)

    async def _accept(self, snapshot: Snapshot, compiled: Compiled) -> None:
        """The revision is live: says so, and keeps it for a start with a broken tree."""
        self._compiled = compiled
        self._describe(snapshot)
        try:
            await asyncio.to_thread(bundle.keep, self._state, compiled.draft.tree)
        except OSError as error:
            log.warning("bundle.not_kept", reason=error.strerror)

    def _describe(self, snapshot: Snapshot) -> None:
        self._rejected = None
        tell_live(self.status, snapshot, self._booted)

    def _reject(self, compiled: Compiled, findings: tuple[Diagnostic, ...]) -> None:
        self._rejected = (compiled.revision, compiled.secrets_digest)
        tell_rejected(self.status, compiled, findings)

    # -- watch ------------------------------------------------------------------------------------------------------

    async def watch(self, stop: asyncio.Event, poll: float = POLL) -> None:
        """Supervised boundary: reloads after every edit until `stop` is set; a watch that fails is begun again."""
        while not stop.is_set():
            try:
                async for _ in changes(self.compiler.root, self._folders, poll, stop):
                    await self._poked()
            except Exception:
                log.exception("watch.crashed")
                await asyncio.sleep(_AGAIN)

    async def _poked(self) -> None:
        """Supervised boundary: a failed attempt is logged, and the next edit is a new one."""
        try:
            live = self._live
            tree = await settle(self.compiler.scan, live.gateway.reload.settle)
            if tree.revision != self.status.attempted or live.outside or self._outside or await self._rotated():
                await self.reload(tree)
        except Exception:
            log.exception("reload.crashed")

    async def _rotated(self) -> bool:
        """Whether a secret is another one now; a back-end is asked again when what it keeps has become too old."""
        async with self._lock:
            return await self._keyring.changed()

    def _folders(self) -> set[Path]:
        """Every folder that holds a manifest or a file that one refers to."""
        return {*self.compiler.directories, *(path.parent for path in (*self._live.outside, *self._outside))}


async def _audited(done: Reloaded, host: Host | None, by: Principal | None) -> Reloaded:
    """The attempt, told by the audit log."""
    if host is not None:
        changed = done.difference
        counts = {"added": len(changed.added), "changed": len(changed.changed), "removed": len(changed.removed)}
        errors = sum(each.severity == "error" for each in done.diagnostics)
        details = {"revision": done.revision, "asked": "key" if by else "watch", **counts, "errors": errors}
        await host.auditor.tell(f"reload.{done.status}", by, outcome=done.status, details=details)
    return done


def _lenient(compiled: Compiled, kept: Compiled) -> bool:
    """Whether the tree, or the kept one when the tree's own gateway.toml cannot be read, wants `last_good`."""
    gateway = compiled.draft.gateway or kept.draft.gateway
    return gateway is not None and gateway.boot.on_invalid == "last_good"
