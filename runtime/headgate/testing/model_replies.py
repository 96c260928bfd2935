"""What the mocks of the providers' APIs have in common: how an answer is paced, split and broken off."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeVar

Ending = Literal["whole", "short", "cut", "stall"]
R = TypeVar("R", bound="ModelReply")


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelReply:
    """One scripted answer.

    A `status` other than 200 answers with `body`. Otherwise events are streamed: `delay` seconds before every event,
    in writes of `size` bytes. After `after` events the stream ends as `ending` says: `short` closes the body properly
    but too early, `cut` closes the connection, `stall` goes silent until the server is released.
    """

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, Any] | None = None
    delay: float = 0.0
    size: int | None = None
    ending: Ending = "whole"
    after: int = 0

    def short(self: R, after: int) -> R:
        """The same, ending properly after so many events."""
        return replace(self, ending="short", after=after)

    def cut(self: R, after: int) -> R:
        """The same, but the connection closes after so many events."""
        return replace(self, ending="cut", after=after)

    def stalled(self: R, after: int) -> R:
        """The same, but silent after so many events; 0 holds back even the head."""
        return replace(self, ending="stall", after=after)

    def slow(self: R, delay: float) -> R:
        """The same, with a pause of so many seconds before every event."""
        return replace(self, delay=delay)

    def split(self: R, size: int) -> R:
        """The same, written in pieces of so many bytes."""
        return replace(self, size=size)
