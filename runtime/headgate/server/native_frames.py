"""Run events in the native dialect: server-sent events with the event's id, its type, and all its members."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from headgate.core.events import (
    ApprovalRequested,
    AttemptStarted,
    Event,
    InputRequested,
    MessageCompleted,
    RunEnd,
    RunFailed,
    TextDelta,
    ThinkingDelta,
    ToolCompleted,
)
from headgate.core.messages import ErrorInfo
from headgate.server.seal import Seal
from headgate.server.shapes import error_view, result_view, usage_view
from headgate.server.stream import Dialect
from headgate.server.wire import dump

HEADERS: Mapping[str, str] = {
    "content-type": "text/event-stream",
    "cache-control": "no-cache, no-store, must-revalidate",
    "x-accel-buffering": "no",
}
_COMMON = frozenset(Event.__struct_fields__)


def dialect(seal: Seal | None, keepalive: float) -> Dialect:
    """The native dialect; who owns the run is given the nonces of its questions, which `seal` knows."""
    return Dialect(Frames(seal).encode, broken, alive, keepalive)


def alive() -> bytes:
    """The keepalive: a comment, which clients do not see."""
    return b": alive\n\n"


def broken(reason: ErrorInfo) -> bytes:
    """The end of a stream whose run goes on: a comment for people, so that clients connect again and resume."""
    line = " ".join(f"{reason.code}: {reason.message}".split())
    return f": {line}\n\n".encode("utf-8", "replace")


class Frames:
    """Encodes events; `seal` knows the nonces of questions, without it they are left out."""

    def __init__(self, seal: Seal | None) -> None:
        self._seal = seal

    def encode(self, event: Event) -> bytes:
        """The frame of one event."""
        if isinstance(event, TextDelta | ThinkingDelta) and not event.path:
            return _delta(event)
        head = f"id: {event.id}\nevent: {kind_of(event)}\ndata: "
        return head.encode() + dump(self.members(event)) + b"\n\n"

    def item(self, event: Event) -> dict[str, Any]:
        """The event as an item of a page: the three fields of its frame."""
        return {"id": event.id, "event": kind_of(event), "data": self.members(event)}

    def members(self, event: Event) -> dict[str, Any]:
        """The members of an event, in the forms that all routes share."""
        data: dict[str, Any] = {"run": event.run, "step": event.step, "path": event.path, "at": event.at}
        data |= {name: getattr(event, name) for name in event.__struct_fields__ if name not in _COMMON}
        match event:
            case ToolCompleted():
                data["result"] = result_view(event.result)
            case MessageCompleted():
                data["usage"] = usage_view(event.usage)
            case AttemptStarted():
                data["reason"] = error_view(event.reason)
            case RunFailed():
                data |= {"usage": usage_view(event.usage), "error": error_view(event.error)}
            case RunEnd():
                data["usage"] = usage_view(event.usage)
        if self._seal is not None and isinstance(event, ApprovalRequested | InputRequested):
            data["nonce"] = self._seal.nonce(event.id)
        return data


def kind_of(event: Event) -> str:
    """The event's type on the wire, such as `text.delta`."""
    return str(event.__struct_config__.tag)


def _delta(event: TextDelta | ThinkingDelta) -> bytes:
    """The hot path: the same bytes as any other event, put together by hand."""
    kind = "text.delta" if type(event) is TextDelta else "thinking.delta"
    head = (
        f'id: {event.fence}-{event.n}\nevent: {kind}\ndata: {{"run":"{event.run}","step":{event.step},'
        f'"path":[],"at":{event.at!r},"text":'
    )
    return head.encode() + dump(event.text) + b"}\n\n"
