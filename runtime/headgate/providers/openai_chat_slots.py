"""The tool calls of a Chat Completions stream in the making, from servers that number them well or not at all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from headgate.providers.failures import UNREADABLE


class Function(msgspec.Struct, frozen=True):
    """Name and arguments, or a piece of these; some servers send an object instead of its JSON."""

    name: str | None = None
    arguments: Any = None

    @property
    def text(self) -> str:
        """The arguments as JSON text."""
        if self.arguments is None:
            return ""
        return self.arguments if isinstance(self.arguments, str) else msgspec.json.encode(self.arguments).decode()


class CallDelta(msgspec.Struct, frozen=True):
    """A piece of one call."""

    index: int | None = None
    id: str | None = None
    function: Function | None = None
    extra_content: dict[str, Any] | None = None


class Slot:
    """One call in the making."""

    __slots__ = ("extra", "id", "name", "pieces")

    def __init__(self) -> None:
        self.id = ""
        self.name = ""
        self.pieces: list[str] = []
        self.extra: dict[str, Any] | None = None

    @property
    def raw(self) -> str:
        """The arguments so far."""
        return "".join(self.pieces)


class Slots:
    """Collects the pieces of all calls, in the order in which the calls began."""

    def __init__(self) -> None:
        self._all: list[Slot] = []
        self._latest: dict[int, Slot] = {}

    def __iter__(self) -> Any:
        return iter(self._all)

    def __len__(self) -> int:
        return len(self._all)

    def take(self, deltas: Sequence[CallDelta]) -> None:
        """Notes the pieces of one event."""
        for delta in deltas:
            slot, function = self._find(delta), delta.function or Function()
            slot.id = slot.id or delta.id or ""
            slot.name = slot.name or function.name or ""
            slot.extra = slot.extra or delta.extra_content
            if text := function.text:
                slot.pieces.append(text)

    def _find(self, delta: CallDelta) -> Slot:
        if delta.index is None:
            slot = next((each for each in self._all if delta.id and each.id == delta.id), None)
            if slot is None and not _begins(delta) and self._all:
                slot = self._all[-1]
        else:
            slot = self._latest.get(delta.index)
        if slot is None or _is_other(slot, delta):
            slot = Slot()
            self._all.append(slot)
        if delta.index is not None:
            self._latest[delta.index] = slot
        return slot


def _begins(delta: CallDelta) -> bool:
    return bool(delta.id or (delta.function and delta.function.name))


def _is_other(slot: Slot, delta: CallDelta) -> bool:
    """Whether the piece begins a further call under the same number, as some servers have it.

    An id that differs says so; without ids, a name after arguments that are whole already does.
    """
    if delta.id and slot.id:
        return delta.id != slot.id
    return bool(delta.function and delta.function.name and slot.name) and _is_whole(slot.raw)


def _is_whole(raw: str) -> bool:
    try:
        return isinstance(msgspec.json.decode(raw), dict)
    except UNREADABLE:
        return False
