"""What the types of an `http` manifest cannot say: every rule is one function that yields findings."""

from __future__ import annotations

import re
from collections.abc import Iterator

import httpx2

from headgate.core.kind import Finding, Key, Scope
from headgate.expressions.body import Templated
from headgate.expressions.template import Slot, Template
from headgate.tools.http.draft import has_dots
from headgate.tools.http.spec import ApiKey, HttpSpec
from headgate.tools.schema import find_dead_end
from headgate.tools.shapes import as_json, check_shape

_AUTHORITY = re.compile(r"https?://[^/?#]+", re.IGNORECASE)
_OPEN = re.compile(r"(?:https?://)?", re.IGNORECASE)
_IN_HOST = "a template may not stand in the scheme or host of the URL"
_FIELD_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_OWN_FIELDS = frozenset({"host", "content-length", "transfer-encoding", "connection", "upgrade", "te", "trailer"})


def check(spec: HttpSpec, _scope: Scope) -> Iterator[Finding]:
    """Every finding of one manifest."""
    for rule in (_paths, _url, _headers, _content, _auth, _repeats, _shapes):
        yield from rule(spec)


def _paths(spec: HttpSpec) -> Iterator[Finding]:
    for key, slot in _slots(spec):
        if slot.steps[0] != "args":
            hint = "the arguments are under args: {{ args.name }}"
            yield Finding(key, "HG1302", f"a tool's templates have no {slot.path!r}", hint, slot.offset)
        elif dead := find_dead_end(spec.input_schema, slot.steps[1:]):
            message = f"{slot.path!r} is not in the tool's input: {dead.message}"
            yield Finding(key, "HG1302", f"{message}; {dead.hint}" if dead.hint else message, "", slot.offset)


def _slots(spec: HttpSpec) -> Iterator[tuple[Key, Slot]]:
    request = spec.request
    yield from ((("request", "url"), slot) for slot in request.url.slots)
    for table, fields in (("query", request.query), ("headers", request.headers), ("form", request.form or {})):
        for name, value in fields.items():
            yield from _inner(value, ("request", table, name))
    if request.body is not None:
        yield from _inner(request.body, ("request", "body"))


def _inner(value: Templated, key: Key) -> Iterator[tuple[Key, Slot]]:
    for inner, template in value.templates():
        yield from (((*key, *inner), slot) for slot in template.slots)


def _url(spec: HttpSpec) -> Iterator[Finding]:
    key, url = ("request", "url"), spec.request.url
    problem = _url_problem(url)
    if problem:
        yield Finding(key, "HG1004", problem, "write https://host/path in full; templates may follow the host")
        return
    schema = spec.input_schema
    optional = set(schema.get("properties", ())) - set(schema.get("required", ()))
    for slot in url.slots:
        if slot.steps[0] == "args" and slot.steps[1:2] and slot.steps[1] in optional:
            message = f"the URL needs {slot.path!r}, which the input does not require"
            hint = "add it to required:, or move it to query:"
            yield Finding(key, "HG1302", message, hint, slot.offset, "warning")


def _url_problem(url: Template) -> str:
    start = url.parts[0] if url.parts and isinstance(url.parts[0], str) else ""
    match = _AUTHORITY.match(start)
    if url.slots and _OPEN.fullmatch(start):
        return _IN_HOST
    if match is None:
        return "the URL does not begin with http:// or https:// and a host"
    if match.end() == len(start) and url.slots:
        return _IN_HOST
    if "@" in match[0]:
        return "the URL holds a user name; use auth: {type: basic, ...}"
    try:
        host = httpx2.URL(match[0]).host
    except httpx2.InvalidURL as error:
        return f"the URL cannot be read: {error}"
    path = "".join(part if isinstance(part, str) else "x" for part in url.partition("?")[0].parts)
    if has_dots(path) or not host or _CONTROL.search(path) or any(letter.isspace() for letter in path):
        return "the URL has a space, a control character, or '.' or '..' as a segment"
    return ""


def _headers(spec: HttpSpec) -> Iterator[Finding]:
    seen: dict[str, str] = {}
    for name, value in spec.request.headers.items():
        key, lower = ("request", "headers", name), name.lower()
        if not _FIELD_NAME.fullmatch(name):
            yield Finding(key, "HG1004", f"{name!r} is not the name of a header")
        elif lower in _OWN_FIELDS:
            yield Finding(key, "HG1004", f"the header {name!r} is set by the gateway itself", "remove it")
        elif lower in seen:
            yield Finding(key, "HG1004", f"the header {name!r} is written twice, also as {seen[lower]!r}")
        seen[lower] = name
        texts = value.node.parts if isinstance(value.node, Template) else (value.node,)
        if any(isinstance(text, str) and _CONTROL.search(text) for text in texts):
            yield Finding(key, "HG1004", f"the header {name!r} has a line end or control character in it")


def _content(spec: HttpSpec) -> Iterator[Finding]:
    request = spec.request
    if request.body is not None and request.form is not None:
        yield Finding(("request", "form"), "HG1004", "'form' and 'body' exclude each other", "keep one of them")
    for name, value in (("body", request.body), ("form", request.form)):
        if value is not None and request.method in ("GET", "HEAD"):
            message = f"a {request.method} request has no {name}"
            yield Finding(("request", name), "HG1004", message, "use query:, or another method")


def _auth(spec: HttpSpec) -> Iterator[Finding]:
    if spec.auth is None:
        return
    names = {name.lower(): name for name in spec.request.headers}
    taken = "authorization"
    if isinstance(spec.auth, ApiKey):
        taken = (spec.auth.header or "").lower()
        if spec.auth.header is not None and (not _FIELD_NAME.fullmatch(taken) or taken in _OWN_FIELDS):
            yield Finding(("auth", "header"), "HG1004", f"{spec.auth.header!r} cannot be used as a header")
    if taken in names:
        key = ("request", "headers", names[taken])
        yield Finding(key, "HG1004", f"'auth' sets the header {names[taken]!r} too", "keep one of them")


def _repeats(spec: HttpSpec) -> Iterator[Finding]:
    if spec.retry is not None and not spec.repeatable:
        message = f"a {spec.request.method} request may not be repeated, so 'retry' has no effect"
        yield Finding(("retry",), "HG1004", message, "say annotations: {idempotent: true} if it may be")
    if spec.paginate is None:
        return
    if spec.request.method == "HEAD" or not spec.behaviour.read_only:
        message = "only a tool that reads can be paginated"
        yield Finding(("paginate",), "HG1004", message, "use GET, or say annotations: {read_only: true}")


def _shapes(spec: HttpSpec) -> Iterator[Finding]:
    bodies = as_json(body for test in spec.tests if test.error is None for body in test.bodies)
    if spec.request.method == "HEAD":
        return
    if spec.paginate is None:
        yield from check_shape(("output",), spec.output, bodies)
    else:
        yield from check_shape(("paginate", "items"), spec.paginate.items, bodies)
