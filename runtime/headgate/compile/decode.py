"""One raw object becomes a typed spec, with every finding on the way.

A body with findings is decoded all the same: what is wrong in it is taken out, what is missing gets a stand-in, and
both are kept silent from then on, so that the checks behind (names, limits) see all the rest and the author gets
everything in one pass, each mistake once. Such a spec never reaches a snapshot.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from pydantic import ValidationError
from pydantic_core import PydanticCustomError

from headgate.compile.words import bound, form
from headgate.core.kind import Finding, Key, Spec

S = TypeVar("S", bound=Spec)

_CODES = {
    "missing": "HG1005",
    "extra_forbidden": "HG1003",
    "template_syntax": "HG1301",
    "jmespath_syntax": "HG1303",
    "cel_syntax": "HG1305",
    "cel_type": "HG1306",
}
_STAND_INS: tuple[Any, ...] = ("stand-in", 1, "1s", "stand:in", [], {"stand-in": {}}, "ask")
"""What is tried in place of a required value, one a round, until the type accepts it."""
_ROUNDS = 12


@dataclass(frozen=True, slots=True)
class Decoded(Generic[S]):
    """The spec, None only if nothing could be made of the body; `silent` are the keys that it does not speak for."""

    spec: S | None
    findings: list[Finding] = field(default_factory=list)
    silent: frozenset[Key] = frozenset()


def covers(silent: Collection[Key], key: Key) -> bool:
    """Whether `key` is one of the silent keys or lies below one."""
    return bool(silent) and any(key[: len(each)] == each for each in silent)


def touches(silent: Collection[Key], key: Key) -> bool:
    """Whether a judgement of what stands at `key` would be one of a silent key too."""
    return covers(silent, key) or any(each[: len(key)] == key for each in silent)


def prune(body: Any, keys: Iterable[Key]) -> Any:
    """A copy of `body` without what stands at `keys`; an item of a list is replaced, so that indexes stay true."""
    out = _copy(body)
    for key in set(keys):
        _remove(out, key)
    return out


def decode(spec: type[S], body: Any, prefix: Key = (), silent: frozenset[Key] = frozenset()) -> Decoded[S]:
    """The typed spec of `body`, which stands at `prefix` in its document; `silent` are keys of the document."""
    findings: list[Finding] = []
    tried: dict[Key, int] = {}
    for _ in range(_ROUNDS):
        try:
            return Decoded(spec.model_validate(body), findings, silent)
        except ValidationError as error:
            faults = [_fault(each, body, prefix) for each in error.errors(include_url=False)]
        findings.extend(each for each in faults if not touches(silent, each.key))
        keys = {each.key[len(prefix) :]: each.code == "HG1005" for each in faults}
        silent = silent.union(each.key for each in faults)
        if () in keys:
            break
        body = _mend(body, keys, tried)
    return Decoded(None, findings, silent)


def _mend(body: Any, keys: Mapping[Key, bool], tried: dict[Key, int]) -> Any:
    """A copy without what stands at the keys, or with the next stand-in at those that are missing."""
    out = prune(body, keys)
    for key, missing in keys.items():
        if missing or key in tried:
            tried[key] = tried.get(key, -1) + 1
            _put(out, key, _copy(_STAND_INS[tried[key] % len(_STAND_INS)]))
    return out


def _fault(each: Mapping[str, Any], body: Any, prefix: Key) -> Finding:
    context: Mapping[str, Any] = each.get("ctx") or {}
    missing = (each["loc"][-1],) if each["type"] == "missing" else ()
    return Finding(
        key=(*prefix, *_path(each["loc"], body), *missing),
        code=str(context.get("code") or _CODES.get(each["type"], "HG1004")),
        message=_sentence(each, (*prefix, *_path(each["loc"], body))),
        hint=str(context.get("hint", "")) or form(str(context.get("pattern", ""))),
        offset=context.get("offset"),
    )


def _sentence(each: Mapping[str, Any], key: Key) -> str:
    message = str(each["msg"]).removeprefix("Value error, ")
    if each["type"] == "missing":
        return f"missing key {each['loc'][-1]!r}"
    if said := bound(each["type"], each.get("ctx") or {}):
        return f"{named(key)} {said}"
    return f"{named(key)}: {message if message[:2].isupper() else message[:1].lower() + message[1:]}"


def finding_of(error: PydanticCustomError, key: Key) -> Finding:
    """The finding for an error that a value gives which has been decoded already; `key` is its place."""
    context = error.context or {}
    message, hint = f"{named(key)}: {error.message()}", str(context.get("hint", ""))
    return Finding(key, _CODES.get(error.type, "HG1004"), message, hint, context.get("offset"))


def named(key: Key) -> str:
    """What stands at `key`, in words."""
    if not key:
        return "the file"
    if isinstance(key[-1], int):
        return f"item {key[-1] + 1} of {named(key[:-1])}"
    return repr(str(key[-1]))


def _path(loc: tuple[str | int, ...], body: Any) -> Key:
    """The part of a pydantic location that exists in the body: union tags and validator names are not keys."""
    path: list[str | int] = []
    for part in loc:
        if _holds(body, part):
            body = body[part]
            path.append(part)
    return tuple(path)


def _holds(body: Any, part: str | int) -> bool:
    if isinstance(body, list):
        return isinstance(part, int) and part < len(body)
    return isinstance(body, dict) and part in body


def _copy(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _copy(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_copy(each) for each in value]
    return value


def _holder(body: Any, key: Key) -> Iterator[Any]:
    """The table or list that the last part of `key` stands in, if there is one."""
    for part in key[:-1]:
        if not _holds(body, part):
            return
        body = body[part]
    if key and isinstance(body, dict | list):
        yield body


def _remove(body: Any, key: Key) -> None:
    for holder in _holder(body, key):
        if isinstance(holder, dict):
            holder.pop(key[-1], None)
        elif _holds(holder, key[-1]):
            holder[key[-1]] = _STAND_INS[0]


def _put(body: Any, key: Key, value: Any) -> None:
    for holder in _holder(body, key):
        if isinstance(holder, dict) or _holds(holder, key[-1]):
            holder[key[-1]] = value
