"""What an audit record holds of arguments, results and turns: their shape, one hash, or all of them without secrets."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from typing import Any, Literal

import msgspec

from headgate.interceptors.detect import find
from headgate.interceptors.texts import Change, mapped, shape

Detail = Literal["shape", "hash", "full"]
_canonical = msgspec.json.Encoder(order="deterministic", enc_hook=str).encode


def redactor(scrub: Callable[[str], str]) -> Change:
    """Takes out of a text what manifests keep secret, and whatever looks like a credential."""

    def redact(label: str, text: str) -> str:
        text = scrub(text)
        for found in reversed(find(text, label)):
            text = f"{text[: found.start]}[secret:{found.kind}]{text[found.end :]}"
        return text

    return redact


def noted(name: str, value: Any, detail: Detail, limit: int, redact: Change) -> dict[str, Any]:
    """The members of a record's details about one value; `limit` is in bytes of JSON."""
    try:
        text = _canonical(value)
    except (TypeError, ValueError, RecursionError):
        return {name: "unreadable"}
    if detail == "hash":
        return {f"{name}_sha256": sha256(text).hexdigest()}
    plain = msgspec.json.decode(text)
    if detail == "full" and len(text) <= limit:
        return {name: mapped(plain, redact)}
    found = mapped(shape(plain), redact)  # names of members may be data, too
    large = len(_canonical(found)) > limit
    return {f"{name}_shape": "large" if large else found, f"{name}_bytes": len(text)}
