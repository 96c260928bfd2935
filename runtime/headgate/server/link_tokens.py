"""Tokens of answer links: what may be said to which question, by whom, until when; signed, and for nothing else."""

from __future__ import annotations

import base64
import binascii
import hmac
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Literal

import msgspec

from headgate.core.errors import NotFound
from headgate.server.seal import Seal

PURPOSE = "approval-link.v1"
_LONGEST = 2_048
_GUESSES = 20
_PERIOD = 60.0
_ADDRESSES = 10_000


class Link(msgspec.Struct, frozen=True, array_like=True):
    """One answer that a link stands for.

    `wait` and `args_hash` say what was asked, `key` and `digest` who answers: the digest's beginning voids the link
    when the key gets another secret. `expires_at` is in epoch seconds. `id` is how records name the link.
    """

    id: str
    wait: str
    args_hash: str
    decision: Literal["approve", "deny"]
    key: str
    digest: str
    expires_at: float


class BadLink(NotFound):
    """The token is none of this gateway's."""

    default_code = "link_not_found"


def sign(link: Link, seal: Seal) -> str:
    """The token of the link: its members and their HMAC, as text for a URL."""
    body = msgspec.json.encode(link)
    return f"{_text(body)}.{_text(seal.signature(PURPOSE, body))}"


def read(token: str, seal: Seal) -> Link:
    """The link of a token, compared in constant time; raises `BadLink`. Its time may be over."""
    try:
        body, mac = map(_data, token[: _LONGEST + 1].split("."))
    except (ValueError, binascii.Error):
        body, mac = b"", b""
    if len(token) > _LONGEST or not hmac.compare_digest(seal.signature(PURPOSE, body), mac):
        raise BadLink("this link is not valid")
    return msgspec.json.decode(body, type=Link)


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _data(text: str) -> bytes:
    """Only what `_text` makes is read, so that a token has one form."""
    data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if _text(data) != text:
        raise ValueError("not in its one form")
    return data


class Guesses:
    """How often each address has come with a token that is none; a genuine one is never kept out."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._seen: OrderedDict[str, tuple[float, int]] = OrderedDict()

    def too_many(self, address: str) -> bool:
        """Counts one more wrong token; whether the address has had more than a minute may have."""
        now = self._clock()
        since, count = self._seen.pop(address, (now, 0))
        since, count = (since, count + 1) if now - since < _PERIOD else (now, 1)
        self._seen[address] = since, count
        if len(self._seen) > _ADDRESSES:
            self._seen.popitem(last=False)
        return count > _GUESSES
