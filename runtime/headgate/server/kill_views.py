"""Kill switches on the wire."""

from __future__ import annotations

from typing import Literal

import msgspec

from headgate.compile.overlay import OverlayDocument
from headgate.compile.switches import KillSwitch


class KillView(msgspec.Struct, kw_only=True):
    """A switch that is on. `source` says where it is declared: one of the `tree` is taken away there."""

    name: str
    kind: str
    target: str
    reason: str
    source: Literal["tree", "api"]
    since: float | None
    by: str | None


class KillMade(KillView, kw_only=True):
    """A switch that has just been put on; `ended` is how many runs in progress it ends."""

    ended: int


class KillList(msgspec.Struct):
    """The switches that are on, by name."""

    items: list[KillView]


class Revived(msgspec.Struct):
    """A switch that is off."""

    name: str
    off: bool = True


def view_of(name: str, held: KillSwitch, document: OverlayDocument | None) -> KillView:
    """A switch of the tree, or with its document one of the API."""
    kind, target = held.target
    return KillView(
        name=name, kind=kind, target=target, reason=held.reason, source="tree" if document is None else "api",
        since=document.created_at if document else None, by=document.created_by if document else None,
    )  # fmt: skip
