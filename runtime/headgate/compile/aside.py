"""Overlay documents that do not fit the tree any more: they are set aside, and the rest of the overlay counts.

Whoever edits the tree decides. Only servers and keys are set aside: their absence takes rights away and gives none,
which is not so of kill switches and pins.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from headgate.compile.overlay import Overlay, OverlayDocument
from headgate.manifest.diagnostics import Diagnostic

KEYS, SERVERS = "auth.keys", "mcp.servers"
_MEND = {
    KEYS: "revoke it: headgate keys revoke {name}, or DELETE /v1/admin/keys/{name}",
    SERVERS: "change it: PUT /v1/admin/mcp-servers/{name}, or remove it: DELETE /v1/admin/mcp-servers/{name}",
}

Spare = Callable[[OverlayDocument], bool]
"""Whether a document may be set aside."""


@dataclass(frozen=True, slots=True)
class Aside:
    """A document that has no effect, and why."""

    document: OverlayDocument
    reason: str


def spares_none(_document: OverlayDocument) -> bool:
    """Every document must fit."""
    return False


def spares_all(document: OverlayDocument) -> bool:
    """Whatever can be missed may be set aside."""
    return document.kind in _MEND


def spares_servers(document: OverlayDocument) -> bool:
    """Servers alone: an edit that would cut off the holders of keys is rejected instead."""
    return document.kind == SERVERS


def unreadable(overlay: Overlay) -> dict[str, Aside]:
    """Documents that cannot be used at all, by path."""
    return {each.path: Aside(each, each.fault) for each in overlay.documents if each.fault}


def misfits(overlay: Overlay, found: Iterable[Diagnostic], spare: Spare) -> dict[str, Aside]:
    """The documents with errors that may be set aside, by path, each with its first error."""
    held = {each.path: each for each in overlay.documents if spare(each)}
    out: dict[str, Aside] = {}
    for each in found:
        if each.severity == "error" and each.path in held:
            out.setdefault(each.path, Aside(held[each.path], each.message))
    return out


def told(aside: Mapping[str, Aside]) -> Iterator[Diagnostic]:
    """A warning for each document that is set aside, which says how to mend it."""
    for path, each in aside.items():
        message = f"this document of the API is set aside: {each.reason}"
        yield Diagnostic(path, 1, 1, "warning", "HG1206", message, mending(each.document))


def mending(document: OverlayDocument) -> str:
    """How a document that does not fit is mended."""
    return _MEND.get(document.kind, "change it through the API").format(name=document.name)


def with_mending(overlay: Overlay, found: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
    """The findings; an error in a document also says how that is mended, for those who made another edit."""
    held = {each.path: each for each in overlay.documents}

    def hinted(each: Diagnostic) -> Diagnostic:
        if each.severity != "error" or each.path not in held:
            return each
        more = f"the API made it; {mending(held[each.path])}"
        return replace(each, hint=f"{each.hint}; {more}" if each.hint else more)

    return tuple(map(hinted, found))
