"""Between records and rows: what a value looks like in a column, and back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

import msgspec

from headgate.core.errors import StoreError
from headgate.core.inputs import Question, Round
from headgate.core.messages import ErrorInfo, Message, ToolResult, Usage, decode_parts, encode
from headgate.core.passage import Trail
from headgate.stores.documents import DocumentRecord
from headgate.stores.records import Exchange, RunRecord, RunRequest, SessionRecord, StepRecord
from headgate.stores.sql.database import Row
from headgate.stores.waits import Grant, Vote, WaitRecord

T = TypeVar("T")
Params = dict[str, Any]
_PLAIN = frozenset({int, float, bool})


def columns(record: msgspec.Struct) -> Params:
    """The fields of a record as parameters of their columns' names; structured ones are JSON."""
    found: Params = msgspec.structs.asdict(record)
    for name, value in found.items():
        kind = type(value)
        if kind is str:
            if not value.isascii() or "\0" in value:
                found[name] = clean(value)
        elif value is not None and kind not in _PLAIN:
            found[name] = bind(value)
    return found


def bind(value: Any) -> str | int | float | None:
    """A value as a column takes it; raises `StoreError` for one that has no JSON form."""
    if isinstance(value, str):
        return clean(value)
    return value if value is None or isinstance(value, (int, float)) else _json(value)


def clean(text: str) -> str:
    """The text with U+FFFD for NUL and for lone surrogates, which databases refuse; whole pairs are joined."""
    if text.isascii() and "\0" not in text:
        return text
    text = text.replace("\0", "\ufffd")
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def _json(value: Any) -> str:
    try:
        return _encode(value)
    except (TypeError, ValueError, RecursionError) as error:
        raise StoreError(f"A value cannot be kept, since it has no JSON form: {error}") from error


def _encode(value: Any) -> str:
    try:
        return encode(value).decode()
    except UnicodeEncodeError:
        # Models and tools may send "\ud800": seldom enough to look for it only when the encoder refuses.
        return encode(_cleaned(msgspec.to_builtins(value))).decode()


def _cleaned(value: Any) -> Any:
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, dict):
        return {_cleaned(key): _cleaned(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_cleaned(item) for item in value]
    return value


def reader(decode: Callable[[str], T]) -> Callable[[str], T]:
    """The decoder, with an error that says what it means for the ledger."""

    def read(raw: str) -> T:
        try:
            return decode(raw)
        except (msgspec.DecodeError, RecursionError) as error:
            raise unreadable(str(error)) from error

    return read


def unreadable(reason: str) -> StoreError:
    """The error for a row that was damaged, or that another build wrote."""
    return StoreError(f"A row of the ledger cannot be read: {reason}")


_usage = reader(msgspec.json.Decoder(Usage).decode)
_error = reader(msgspec.json.Decoder(ErrorInfo).decode)
_args = reader(msgspec.json.Decoder(dict[str, Any]).decode)
_result = reader(msgspec.json.Decoder(ToolResult).decode)
_parts = reader(decode_parts)
_request = reader(msgspec.json.Decoder(RunRequest).decode)
_votes = reader(msgspec.json.Decoder(tuple[Vote, ...]).decode)
_names = reader(msgspec.json.Decoder(tuple[str, ...]).decode)
_trail = reader(msgspec.json.Decoder(Trail).decode)
_question = reader(msgspec.json.Decoder(Question).decode)
_round = reader(msgspec.json.Decoder(Round).decode)
_shown = reader(msgspec.json.Decoder(tuple[dict[str, Any], ...]).decode)


def _record(kind: type[T], names: tuple[str, ...], row: Row, readers: Mapping[str, Callable[[Any], Any]]) -> T:
    values = dict(zip(names, row, strict=True))
    for name, read in readers.items():
        if values[name] is not None:
            values[name] = read(values[name])
    return kind(**values)


_RUN = {"request": _request, "usage": _usage, "error": _error}
_STEP = {"args": _args, "result": _result, "usage": _usage}
_WAIT = {
    "args": _args,
    "approvers": _names,
    "shown": _shown,
    "votes": _votes,
    "result": _result,
    "may_remember": bool,
    "trail": _trail,
    "question": _question,
    "round": _round,
}


def session_record(row: Row) -> SessionRecord:
    """A session from the columns of `SessionRecord`, in the order of its fields."""
    return SessionRecord(**dict(zip(SessionRecord.__struct_fields__, row, strict=True)))


def run_record(row: Row) -> RunRecord:
    """A run from the columns of `RunRecord`, in the order of its fields."""
    return _record(RunRecord, RunRecord.__struct_fields__, row, _RUN)


def step_record(row: Row) -> StepRecord:
    """A step from the columns of `StepRecord`, in the order of its fields."""
    return _record(StepRecord, StepRecord.__struct_fields__, row, _STEP)


def wait_record(row: Row) -> WaitRecord:
    """A wait from the columns of `WaitRecord`, in the order of its fields."""
    return _record(WaitRecord, WaitRecord.__struct_fields__, row, _WAIT)


def grant_record(row: Row) -> Grant:
    """A grant from the columns of `Grant`, in the order of its fields."""
    return Grant(**dict(zip(Grant.__struct_fields__, row, strict=True)))


def document_record(row: Row) -> DocumentRecord:
    """An overlay document from the columns of `DocumentRecord`, in the order of its fields."""
    return _record(DocumentRecord, DocumentRecord.__struct_fields__, row, {"body": _args})


def exchanges(rows: Iterable[Row]) -> tuple[Exchange, ...]:
    """The rows of the conversation query, folded into one exchange for each run; their order stays."""
    found: dict[str, Row] = {}
    posted: dict[str, list[Message]] = {}
    produced: dict[str, list[Message]] = {}
    for row in rows:
        run, role, parts, step = row[0], *row[3:6]
        found.setdefault(run, row)
        if role is not None:
            side = posted if step is None else produced
            side.setdefault(run, []).append(Message(role, _parts(parts)))
    return tuple(
        Exchange(
            run_id=run,
            answer=row[1],
            state=row[2],
            posted=tuple(posted.get(run, ())),
            produced=tuple(produced.get(run, ())),
            tainted=_request(row[6]).tainted,
        )
        for run, row in found.items()
    )
