"""What came from outside, made fit for a model: decoded, without hidden characters and without secrets."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from email.message import Message
from typing import Any

import msgspec

from headgate.core.errors import ToolError
from headgate.core.messages import Content, File, Image, Text

Clean = Callable[[str], str]

IMAGES = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})
"""Image types that models read."""
_TEXTUAL = frozenset(
    {"application/xml", "application/javascript", "application/yaml", "application/x-yaml", "application/toml"}
    | {"application/x-www-form-urlencoded", "application/x-ndjson", "application/sql", "image/svg+xml"}
)
# Controls but for tab and line ends; soft hyphen, zero-width and bidirectional marks, byte-order mark, tag characters
# and the supplementary variation selectors: invisible to people, legible to models. Lone surrogates are not text.
_HIDDEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u00ad\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e"
    "\u2060-\u206f\u3164\ufeff\uffa0\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e0fff]"
)


def visible(text: str) -> str:
    """The text without control, zero-width and other hidden characters; tabs and line ends stay."""
    return _HIDDEN.sub("", text)


def redact(text: str, secrets: Iterable[str]) -> str:
    """The text without the secrets; those shorter than six characters are not looked for, they would hit too much."""
    for secret in secrets:
        if len(secret) >= 6:
            text = text.replace(secret, "[redacted]")
    return text


def tidy(value: Any, clean: Clean) -> Any:
    """A JSON value with `clean` applied to every string in it, names of members included."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, dict):
        return {clean(name): tidy(each, clean) for name, each in value.items()}
    if isinstance(value, list):
        return [tidy(each, clean) for each in value]
    return value


def read_json(body: bytes, clean: Clean) -> Any:
    """The JSON value of a body, tidied; raises `ToolError("invalid_result")`."""
    try:
        value = msgspec.json.decode(body)
        text = body.decode()
        # A string in JSON differs from its source only where there is an escape: else the source tells all.
        return tidy(value, clean) if "\\" in text or clean(text) != text else value
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ToolError("invalid_result", "the answer is not JSON") from error
    except RecursionError as error:
        raise ToolError("invalid_result", "the answer is JSON that is nested too deeply") from error


def media_type(header: str) -> tuple[str, str]:
    """The media type and the charset of a Content-Type header; both empty when there is none."""
    message = Message()
    message["content-type"] = header
    return (message.get_content_type(), message.get_content_charset("") or "") if header else ("", "")


def is_json(media: str) -> bool:
    """Whether a media type is JSON (RFC 6839 §3.1)."""
    return media == "application/json" or media.endswith("+json")


def as_content(body: bytes, media: str, charset: str, name: str, clean: Clean) -> Content:
    """A body that is not JSON, as text, image or file; one of no stated type is text if it is UTF-8."""
    if media in IMAGES:
        return Image(media, body)
    if media.startswith("text/") or media.endswith("+xml") or media in _TEXTUAL:
        return Text(clean(_decode(body, charset)))
    if not media:
        try:
            return Text(clean(body.decode()))
        except UnicodeDecodeError:
            media = "application/octet-stream"
    return File(clean(name) or "answer", media, body)


def _decode(body: bytes, charset: str) -> str:
    try:
        return body.decode(charset or "utf-8", errors="replace")
    except LookupError:
        return body.decode("utf-8", errors="replace")
