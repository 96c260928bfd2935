"""A model's tool calls as they come from the wire: their arguments, and ids that are unique within a run."""

from __future__ import annotations

from typing import Any

import msgspec

from headgate.core.messages import Opaque, ToolCall
from headgate.core.ports import ModelRequest
from headgate.providers.failures import UNREADABLE

MAX_DEPTH = 128
"""Levels of arguments: far more than any tool has, and few enough for whatever walks over them later."""

_decode = msgspec.json.Decoder(dict[str, Any]).decode


def read_call(id: str, name: str, raw: str, *, cut: bool = False, opaque: Opaque | None = None) -> ToolCall:
    """The call with the arguments that `raw` holds, none at all being an empty object.

    Arguments are None, and `raw` is kept, when they are not a JSON object, are nested too deeply, or when the turn was
    `cut` within them.
    """
    if not cut:
        try:
            args = _decode(raw) if raw else {}
            if not _is_deep(raw, args):
                return ToolCall(id, name, args, opaque=opaque)
        except UNREADABLE:
            pass
    return ToolCall(id, name, None, malformed=raw, opaque=opaque)


def _is_deep(raw: str, args: Any) -> bool:
    if raw.count("[") + raw.count("{") <= MAX_DEPTH:
        return False
    level = [args]
    for _ in range(MAX_DEPTH):
        parts = (each.values() if isinstance(each, dict) else each for each in level)
        level = [one for part in parts for one in part if isinstance(one, dict | list)]
        if not level:
            return False
    return True


class CallIds:
    """Gives every call of a turn an id that no other call of the conversation has.

    Some servers send no ids, and some count from zero in every turn. What is made up depends on the request and the
    call's place alone.
    """

    def __init__(self, request: ModelRequest) -> None:
        self._turn = request.turn
        self._taken = {call.id for message in request.messages for call in message.calls}

    def unique(self, id: str, index: int) -> str:
        """The server's id when it has one that is free, else one made of it or of the call's place."""
        wanted = id or f"call_{self._turn}_{index}"
        free, count = wanted, 1
        while free in self._taken:
            count += 1
            free = f"{wanted}_{count}"
        self._taken.add(free)
        return free
