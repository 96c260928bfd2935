"""One document, or one object inside it: structure check, then the typed spec, with every finding of both.

A body with findings is decoded all the same, without its faulty parts, so that the checks behind (names, limits)
see what can be seen and the author gets everything in one pass. Such a spec never reaches a snapshot.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeVar

from pydantic import ValidationError

from headgate.core.kind import Finding, Key, Spec

S = TypeVar("S", bound=Spec)

_CODES = {"missing": "HG1005", "extra_forbidden": "HG1003", "template_syntax": "HG1301", "jmespath_syntax": "HG1303"}


def prune(body: Any, keys: Iterable[Key]) -> Any:
    """A copy of `body` without what stands at `keys`."""
    out = _copy(body)
    for key in set(keys):
        _remove(out, key)
    return out


def decode(spec: type[S], body: Any, prefix: Key = (), *, faulty: bool = False) -> tuple[S | None, list[Finding]]:
    """The typed spec of `body`, or why there is none.

    `prefix` is where the body stands in its document. With `faulty`, parts have been pruned: what is missing then has
    been reported already.
    """
    try:
        return spec.model_validate(body), []
    except ValidationError as error:
        return None, list(_findings(error, body, prefix, faulty=faulty))


def _findings(error: ValidationError, body: Any, prefix: Key, *, faulty: bool) -> Iterator[Finding]:
    for each in error.errors(include_url=False):
        if faulty and each["type"] == "missing":
            continue
        context: Mapping[str, Any] = each.get("ctx") or {}
        yield Finding(
            key=(*prefix, *_path(each["loc"], body)),
            code=str(context.get("code") or _CODES.get(each["type"], "HG1004")),
            message=_sentence(each),
            hint=str(context.get("hint", "")),
            offset=context.get("offset"),
        )


def _sentence(each: Mapping[str, Any]) -> str:
    message = str(each["msg"]).removeprefix("Value error, ")
    name = repr(str(each["loc"][-1])) if each["loc"] else "the document"
    if each["type"] == "missing":
        return f"missing key {name}"
    return f"{name}: {message[:1].lower()}{message[1:]}"


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


def _remove(body: Any, key: Key) -> None:
    """Removes what stands at `key`; a list goes as a whole, so that the indexes of others stay true."""
    names = []
    for part in key:
        if isinstance(part, int):
            break
        names.append(part)
    for name in names[:-1]:
        body = body.get(name) if isinstance(body, dict) else None
    if names and isinstance(body, dict):
        body.pop(names[-1], None)
