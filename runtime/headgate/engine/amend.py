"""One change through the API: an overlay document is compiled with the live tree, kept, and live.

What is kept is always something that compiles: a document with errors is refused before anything is written.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import structlog

from headgate.compile.aside import spares_all
from headgate.compile.build import BuildError
from headgate.compile.compiler import Compiled
from headgate.compile.overlay import Overlay, OverlayDocument
from headgate.core.errors import ConfigError, Conflict, Invalid, NotFound, PreconditionFailed, StoreError
from headgate.engine.overlays import Overlays
from headgate.engine.reload import Reloader
from headgate.manifest.diagnostics import Diagnostic

log = structlog.get_logger("headgate.overlay")

_TRIES = 5
"""Attempts while others change the documents at the same time."""


@dataclass(frozen=True, slots=True)
class Change:
    """What becomes of one document: it gets this `body`, or goes when that is None.

    `new` says whether it must not exist yet, or must; None that either will do. `revision` is the one that it must have
    now. `by` is the principal who wants it. `was` is the name that the document had before, which it gives up.
    """

    kind: str
    name: str
    body: dict[str, Any] | None
    by: str
    new: bool | None = None
    revision: int | None = None
    was: str | None = None

    def require(self, held: OverlayDocument | None) -> None:
        """Raises `Conflict`, `NotFound` or `PreconditionFailed` when the document is not as it must be."""
        if self.new and held is not None:
            raise Conflict(f"there is {self.kind} {self.name!r} already", code="already_exists")
        if held is None and (self.new is False or self.body is None):
            raise NotFound(f"there is no {self.kind} {self.name!r} that was made through the API", code="not_found")
        if self.revision is not None and (held is None or held.revision != self.revision):
            raise PreconditionFailed("the document was changed meanwhile; read it and decide again")


@dataclass(frozen=True, slots=True)
class Replacement:
    """What a change makes of the overlay: the document that it leads to (None when it goes), and the overlay `wanted`.
    `at` is the time of the change, in epoch seconds."""

    change: Change
    document: OverlayDocument | None
    wanted: Overlay
    at: float

    @classmethod
    def of(cls, change: Change, overlay: Overlay, now: float) -> Replacement:
        """What it makes of this overlay; raises what `Change.require` does."""
        document = _replaced(change, overlay, now)
        wanted = overlay.changed(change.kind, change.was or change.name, None)
        wanted = wanted.changed(change.kind, change.name, document)
        return cls(change, document, replace(wanted, generation=overlay.generation + 1), now)

    @property
    def paths(self) -> set[str]:
        """Where the document stands, by its name and the one that it gives up."""
        names = (self.change.name, self.change.was)
        return {OverlayDocument(self.change.kind, name, {}).path for name in names if name}

    def vet(self, compiled: Compiled) -> None:
        """Raises `Conflict` when the tree declares the name."""
        if self.document is not None and self.document in compiled.draft.hidden:
            message = f"the tree declares {self.change.kind} {self.change.name!r} itself: edit it there"
            raise Conflict(message, code="declared_in_tree")

    async def keep(self, overlays: Overlays, compiled: Compiled) -> None:
        """Writes it down; raises `StoreError` as the ledger does, also when others were quicker."""
        change, before = self.change, self.wanted.generation - 1
        if self.document is not None:
            await overlays.put(self.document, compiled.draft.sealed, before, was=change.was)
        else:
            gone = OverlayDocument(change.kind, change.name, {})
            await overlays.delete(gone, by=change.by, at=self.at, generation=before)


def _replaced(change: Change, overlay: Overlay, now: float) -> OverlayDocument | None:
    held = overlay.get(change.kind, change.was or change.name)
    change.require(held)
    if change.was is not None and overlay.get(change.kind, change.name) is not None:
        raise Conflict(f"there is {change.kind} {change.name!r} already", code="already_exists")
    if change.body is None:
        return None
    fresh = OverlayDocument(change.kind, change.name, change.body, by=change.by, at=now)
    if held is None or change.was is not None:  # the ledger counts a new name as a new document
        return replace(fresh, created_by=change.by, created_at=now)
    return replace(fresh, revision=held.revision + 1, created_by=held.created_by, created_at=held.created_at)


class Amender:
    """Changes the overlay of a running gateway, and follows the changes of other processes."""

    def __init__(self, reloader: Reloader, clock: Callable[[], float] = time.time) -> None:
        self._reloader = reloader
        self._clock = clock
        self._refused = -1

    @property
    def _overlays(self) -> Overlays:
        overlays = self._reloader.overlays
        if overlays is None:
            raise ConfigError("the gateway has no ledger for overlay documents")
        return overlays

    async def amend(self, change: Change) -> OverlayDocument | None:
        """Makes the change live and durable, both or neither; the document as it is now.

        Raises what `Change.require` does, `Conflict` when the tree declares the name (`declared_in_tree`), and
        `Invalid` with `details["diagnostics"]` when the document does not compile.
        """
        async with self._reloader.turn:
            for _ in range(_TRIES):
                overlay = await self._overlays.read()
                made = Replacement.of(change, overlay, self._clock())
                try:
                    await self._make(made)
                except StoreError as error:
                    if error.code != "store_conflict":
                        raise
                else:
                    await self._reloader.retry()
                    return made.document
        raise Conflict("others change the documents at the same time; try again", code="busy")

    async def refresh(self) -> None:
        """Makes live what other processes have changed; raises `StoreError` and `ConfigError`."""
        async with self._reloader.turn:
            generation = await self._overlays.generation()
            if generation in (self._reloader.live.overlay.generation, self._refused):
                return
            overlay = await self._overlays.read()
            try:
                await self._reloader.revise(overlay, spare=spares_all)
            except BuildError as error:
                self._refused = overlay.generation
                log.error("overlay.rejected", generation=overlay.generation, first=str(error.diagnostics[0]))
                self._reloader.status.set("Degraded", True, "OverlayRejected", f"{error.diagnostics[0]}")
                return
            await self._reloader.retry()

    async def _make(self, made: Replacement) -> None:
        own = made.paths
        aside = {each.document.path for each in self._reloader.live.aside} - own
        try:
            await self._reloader.revise(
                made.wanted,
                vet=made.vet,
                keep=partial(made.keep, self._overlays),
                spare=lambda each: each.path in aside,
            )
        except BuildError as error:
            raise refusal(error.diagnostics, own) from None


def refusal(found: tuple[Diagnostic, ...], paths: Collection[str]) -> Invalid:
    """The error of a document of these paths in which this was found; warnings about other things are not told."""
    errors = [each for each in found if each.severity == "error"]
    shown = tuple(each for each in found if each.severity == "error" or each.path in paths)
    said = f"{errors[0].message}; {errors[0].hint}" if errors[0].hint else errors[0].message
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    return Invalid(
        f"the document is not in order: {said}{more}", code="invalid_document", details={"diagnostics": shown}
    )
