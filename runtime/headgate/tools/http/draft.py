"""A request before it is sent: the manifest's templates, filled with the arguments of one call."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote, unquote, urlencode

import httpx2
import msgspec

from headgate.core.errors import ToolError
from headgate.expressions.body import Templated
from headgate.expressions.template import MISSING, Template, as_text, lookup
from headgate.tools.http.spec import Request

_FORBIDDEN = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_encode = msgspec.json.Encoder().encode

Scope = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Draft:
    """One request; header values are bytes because not all of them are ASCII."""

    method: str
    url: httpx2.URL
    headers: Mapping[str, bytes]
    content: bytes | None = None

    def with_headers(self, headers: Mapping[str, str]) -> Draft:
        """The draft with further headers, which win over its own."""
        taken = {name.lower() for name in headers}
        kept = {name: value for name, value in self.headers.items() if name.lower() not in taken}
        return replace(self, headers={**kept, **{name: value.encode() for name, value in headers.items()}})

    def with_query(self, params: Mapping[str, str]) -> Draft:
        """The draft with further query parameters, which win over its own."""
        url = self.url
        for name, value in params.items():
            url = url.copy_set_param(name, value)
        return replace(self, url=url)


def make_draft(request: Request, args: Mapping[str, Any]) -> Draft:
    """The request for `args`; raises `ToolError("invalid_arguments")` for values that cannot stand where they go."""
    scope = {"args": args}
    headers = dict(_headers(request.headers, scope))
    content, media = _content(request, scope)
    if media and not any(name.lower() == "content-type" for name in headers):
        headers["Content-Type"] = media.encode()
    return Draft(request.method, _url(request, scope), headers, content)


def _url(request: Request, scope: Scope) -> httpx2.URL:
    for slot in request.url.slots:
        if lookup(scope, slot.steps) in (MISSING, None):
            raise _invalid(f"the URL needs {slot.path}, which was not given")
    text = _path(request.url, scope)
    pairs = list(_pairs(request.query, scope))
    if pairs:
        text += ("&" if "?" in text else "?") + urlencode(pairs, quote_via=quote)
    try:
        return httpx2.URL(text)
    except httpx2.InvalidURL as error:
        raise _invalid("the arguments do not make a URL that can be used") from error


def _path(url: Template, scope: Scope) -> str:
    """The URL without `request.query`; values may not change its structure, encoded or not."""
    path, query = url.partition("?")
    for slot in path.slots:
        if as_text(lookup(scope, slot.steps)) == "":
            raise _invalid(f"{slot.path} is empty, but stands in the path of the URL")
    start = str(path.render_text(scope, _escape))
    if has_dots(start):
        raise _invalid("the arguments make a path with '.' or '..' in it")
    return start + str(query.render_text(scope, _escape))


def has_dots(url: str) -> bool:
    """Whether a segment of the URL's path is `.` or `..`, also for servers that decode it first (RFC 3986 §6.2.2)."""
    return any(segment in (".", "..") for segment in re.split(r"[/\\]", unquote(url)))


def _escape(text: str) -> str:
    return quote(text, safe="")


def _pairs(fields: Mapping[str, Templated], scope: Scope) -> Iterator[tuple[str, str]]:
    for name, template in fields.items():
        value = template.render(scope)
        for each in value if isinstance(value, list) else [value]:
            if each is not MISSING and each is not None:
                yield name, as_text(each)


def _headers(fields: Mapping[str, Templated], scope: Scope) -> Iterator[tuple[str, bytes]]:
    for name, template in fields.items():
        value = template.render(scope)
        if value is MISSING or value is None:
            continue
        text = as_text(value).strip(" \t")
        if _FORBIDDEN.search(text):
            raise _invalid(f"the value of header {name!r} has a line end or control character")
        yield name, text.encode("utf-8", "replace")


def _content(request: Request, scope: Scope) -> tuple[bytes | None, str]:
    if request.form is not None:
        return urlencode(list(_pairs(request.form, scope))).encode(), "application/x-www-form-urlencoded"
    body = MISSING if request.body is None else request.body.render(scope)
    if body is MISSING:
        return None, ""
    if isinstance(body, str):
        return body.encode("utf-8", "replace"), "text/plain; charset=utf-8"
    return _encode(body), "application/json"


def _invalid(message: str) -> ToolError:
    return ToolError("invalid_arguments", message)
