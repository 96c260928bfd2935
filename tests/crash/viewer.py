"""Those who follow runs: what they have seen is in a file, so that they go on from there in the next process."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import msgspec

from headgate.core.context import Principal
from headgate.core.events import AttemptStarted, Event, EventId, MessageCompleted, TextDelta
from headgate.engine.host import Host


class Seen(msgspec.Struct, frozen=True, array_like=True):
    """What a viewer keeps of one event."""

    fence: int
    n: int
    kind: str
    step: int
    text: str = ""

    @property
    def key(self) -> EventId:
        """The event's id."""
        return self.fence, self.n


_lines = msgspec.json.Decoder(Seen)


def seen(event: Event) -> Seen:
    """What is kept of an event."""
    text = event.text if isinstance(event, TextDelta | MessageCompleted) else ""
    return Seen(event.fence, event.n, type(event).__name__, event.step, text)


def view(path: Path) -> list[Seen]:
    """What the viewer has seen; a line that it was killed in the middle of is not there."""
    text = path.read_bytes() if path.exists() else b""
    whole = text[: text.rfind(b"\n") + 1]
    if whole != text:
        path.write_bytes(whole)
    return [_lines.decode(line) for line in whole.splitlines()]


async def watch(host: Host, run: str, path: Path, key: str) -> None:
    """Follows the run from the last event seen, until it ends."""
    before, viewer = view(path), Principal(key, "", key, frozenset())
    subscription = await host.follow(run, before[-1].key if before else (0, 0), viewer)
    follower = subscription.follower
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        while not follower.drained:
            lines = [msgspec.json.encode(seen(event)) + b"\n" for event in await follower.batch()]
            if lines:
                os.write(file, b"".join(lines))
    finally:
        os.close(file)
        subscription.close()


def heard(events: Iterable[Seen]) -> tuple[str, list[str]]:
    """The text that the viewer is left with, and what was wrong with it."""
    said, turn, problems = "", "", []
    for event in events:
        if event.kind == TextDelta.__name__:
            turn += event.text
        elif event.kind == AttemptStarted.__name__:
            turn = ""
        elif event.kind == MessageCompleted.__name__:
            if turn != event.text:
                problems.append(f"heard {turn!r} of the message {event.text!r}")
            said, turn = said + turn, ""
    return said + turn, problems
