"""Between events and rows: a run's log in few rows, out of which every event comes back with its own number.

Deltas of one kind that follow each other are one row with their texts. Once their message is committed with them they
are part of its row, which keeps only their lengths: a positive one counts characters of the message's text, a negative
one of its thinking. A row stands for `size` events from `n` on. Its time is that of each of its deltas.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, get_args

import msgspec

from headgate.core.events import (
    AnyEvent,
    Delta,
    Event,
    EventId,
    MessageCompleted,
    TextDelta,
    ThinkingDelta,
)
from headgate.core.messages import Usage
from headgate.stores.sql.database import Row
from headgate.stores.sql.rows import Params, bind, clean, reader, unreadable
from headgate.stores.told import Told

COLUMNS = ("run_id", "fence", "n", "size", "kind", "step", "path", "at", "data")
DELTAS = "kind IN ('text.delta', 'thinking.delta')"
"""Which rows of a log are deltas; the same words as in their index."""

_COMMON = frozenset(Event.__struct_fields__)
_KINDS: dict[str, type[Event]] = {str(kind.__struct_config__.tag): kind for kind in get_args(AnyEvent)}
_NAMES = {kind: name for name, kind in _KINDS.items()}
_OWN = {kind: tuple(name for name in kind.__struct_fields__ if name not in _COMMON) for kind in _NAMES}


class _Turn(msgspec.Struct):
    """What is kept of a message and its deltas; `since` is the time of the first one."""

    text: str
    thinking: str
    usage: Usage
    model: str
    since: float
    lengths: list[int]


class _Resolved(msgspec.Struct):
    """What `approval.resolved` and `input.resolved` share."""

    id: str


_EVENTS = {name: reader(msgspec.json.Decoder(kind).decode) for name, kind in _KINDS.items()}
_texts = reader(msgspec.json.Decoder(list[str]).decode)
_turn = reader(msgspec.json.Decoder(_Turn).decode)
_resolved = reader(msgspec.json.Decoder(_Resolved).decode)
_path = reader(msgspec.json.Decoder(tuple[str, ...]).decode)


def told_rows(run: str, fence: int, told: Told) -> list[Params]:
    """The rows for what a transaction tells, in which the deltas of a turn share the row of its message."""
    message = _message(told)
    if message is None or not _adds_up(message, told.deltas):
        # The lengths would not lead back to the same deltas, so they are kept as if there were no message.
        return log_rows(run, fence, sorted((*told.deltas, *told.events), key=_number))
    before = [event for event in told.events if event.n < message.n]
    after = [event for event in told.events if event.n > message.n]
    return [*log_rows(run, fence, before), _whole(run, fence, message, told.deltas), *log_rows(run, fence, after)]


def log_rows(run: str, fence: int, events: Iterable[Event]) -> list[Params]:
    """The rows for events of one run and fence in the order of their numbers."""
    found: list[Params] = []
    last: Event | None = None
    for event in events:
        if not isinstance(event, Delta):
            found.append(_row(run, fence, event, _own(event)))
        elif last is not None and _follows(last, event):
            found[-1]["data"].append(event.text)
        else:
            found.append(_row(run, fence, event, [event.text]))
        last = event
    for row in found:
        row["size"] = len(row["data"]) if isinstance(row["data"], list) else 1
        row["data"] = bind(row["data"])
    return found


def _number(event: Event) -> int:
    return event.n


def _message(told: Told) -> MessageCompleted | None:
    if not told.deltas:
        return None
    return next((event for event in told.events if isinstance(event, MessageCompleted)), None)


def _adds_up(message: MessageCompleted, deltas: Sequence[Delta]) -> bool:
    """Whether the deltas stand right before their message and are all of its text and thinking, to the letter."""
    said: list[str] = []
    thought: list[str] = []
    n = message.n - len(deltas)
    for delta in deltas:
        if delta.n != n or delta.step != message.step or delta.path != message.path:
            return False
        (said if type(delta) is TextDelta else thought).append(delta.text)
        n += 1
    texts = ("".join(said), "".join(thought))
    return all(thought) and texts == (message.text, message.thinking) and texts == (clean(texts[0]), clean(texts[1]))


def _whole(run: str, fence: int, message: MessageCompleted, deltas: Sequence[Delta]) -> Params:
    lengths = [len(delta.text) if type(delta) is TextDelta else -len(delta.text) for delta in deltas]
    row = _row(run, fence, message, bind({**_own(message), "since": deltas[0].at, "lengths": lengths}))
    return row | {"n": deltas[0].n, "size": len(deltas) + 1}


def _own(event: Event) -> dict[str, Any]:
    return {name: getattr(event, name) for name in _OWN[type(event)]}


def _row(run: str, fence: int, event: Event, data: Any) -> Params:
    return {
        "run_id": run,
        "fence": fence,
        "n": event.n,
        "kind": _NAMES[type(event)],
        "step": event.step,
        "path": bind(event.path) if event.path else "",
        "at": event.at,
        "data": data,
    }


def _follows(last: Event, delta: Delta) -> bool:
    return type(last) is type(delta) and (last.step, last.n + 1, last.path) == (delta.step, delta.n, delta.path)


# -- reading -----------------------------------------------------------------------------------------------------------


def page(rows: Iterable[Row], after: EventId, limit: int) -> tuple[Event, ...]:
    """The events of the rows behind the id, `limit` at most."""
    found: list[Event] = []
    for row in rows:
        for event in _expand(row, after):
            found.append(event)
            if len(found) == limit:
                return tuple(found)
    return tuple(found)


def resolved_wait(data: str) -> str:
    """The wait that an `approval.resolved` or an `input.resolved` is about."""
    return _resolved(data).id


def _expand(row: Row, after: EventId) -> Iterator[Event]:
    """The events of a row behind the id, each with its own number."""
    run, fence, n, size, kind, step, path, at, data = row
    skipped = max(0, after[1] - n + 1) if after[0] == fence else 0
    if skipped >= size:
        return
    common = {"run": run, "step": step, "at": at, "fence": fence, "path": _path(path) if path else ()}
    if kind in ("text.delta", "thinking.delta"):
        for i, text in enumerate(_texts(data)[skipped:], n + skipped):
            yield (
                TextDelta(text=text, n=i, **common) if kind == "text.delta" else ThinkingDelta(text=text, n=i, **common)
            )
    elif size > 1:
        yield from _unfold(_turn(data), n, skipped, common)
    else:
        yield _event(kind, data, n, common)


def _unfold(turn: _Turn, n: int, skipped: int, common: dict[str, Any]) -> Iterator[Event]:
    """The deltas of a turn, and then its message."""
    said = thought = 0
    told = common | {"at": turn.since}
    for i, length in enumerate(turn.lengths):
        start = said if length >= 0 else thought
        said, thought = (said + length, thought) if length >= 0 else (said, thought - length)
        if i < skipped:
            continue
        if length >= 0:
            yield TextDelta(text=turn.text[start:said], n=n + i, **told)
        else:
            yield ThinkingDelta(text=turn.thinking[start:thought], n=n + i, **told)
    yield MessageCompleted(
        text=turn.text, thinking=turn.thinking, usage=turn.usage, model=turn.model, n=n + len(turn.lengths), **common
    )


def _event(kind: str, data: str, n: int, common: dict[str, Any]) -> Event:
    read = _EVENTS.get(kind)
    if read is None:
        raise unreadable(f"no build knows the event {kind!r}")
    event = read(data)
    event.n = n
    for name, value in common.items():
        setattr(event, name, value)
    return event
