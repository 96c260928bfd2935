"""Finds credentials in texts: by the formats that their issuers document, and by how random a value is that is called
a secret.

Every pattern is bounded, so that its time grows with the text alone. Sources: GitHub, "Behind GitHub's new
authentication token formats" (2021, prefix and CRC-32); RFC 7519 (JWT); RFC 7468 (PEM); RFC 3986 §3.2.1 (a password in
a URL); the key formats in the documentation of AWS IAM, Slack, Google Cloud, Stripe, OpenAI and Anthropic.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import re
import zlib
from bisect import bisect
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Literal

Detector = Literal[
    "aws", "github", "slack", "google", "stripe", "openai", "anthropic", "jwt", "private_key", "connection_string",
    "assignment",
]  # fmt: skip
"""What can be looked for."""

ENTROPY = 3.5
"""Bits a character: words of a language have fewer, random keys of more than some 16 characters have more."""

_BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_NAMES = r"passwords?|passwd|passphrase|pwd|secret|api[_-]?key|access[_-]?key|private[_-]?key|credential|auth[_-]?token"
_NAMES += r"|access[_-]?token|refresh[_-]?token|bearer"
_LABEL = re.compile(_NAMES, re.IGNORECASE)
_VALUE = re.compile(r"\S{12,512}")
_STAND_IN = re.compile(r"[$<{%\[*]|(?:x{3,}|\.{3}|your|example|changeme|placeholder|redacted|dummy)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Found:
    """One credential in a text, from `start` to before `end`."""

    kind: Detector
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class _Format:
    """What a credential looks like. The group `value` is the credential, the whole match where there is none."""

    kind: Detector
    pattern: re.Pattern[str]
    real: Callable[[str], bool]


def entropy(text: str) -> float:
    """Shannon's entropy of the characters, in bits a character."""
    counts, length = Counter(text), len(text)
    return -sum(n / length * math.log2(n / length) for n in counts.values())


def find(text: str, label: str = "", kinds: Collection[Detector] | None = None) -> list[Found]:
    """The credentials in a text, in its order, none overlapping another; `label` is what the text is the value of."""
    found: list[Found] = []
    for each in _candidates(text, label):
        at = bisect(found, each.start, key=lambda other: other.start)
        free = not (at and found[at - 1].end > each.start) and not (at < len(found) and found[at].start < each.end)
        if free and (kinds is None or each.kind in kinds):
            found.insert(at, each)
    return found


def _candidates(text: str, label: str) -> Iterator[Found]:
    for form in _FORMATS:
        for match in form.pattern.finditer(text):
            group = "value" if "value" in form.pattern.groupindex else 0
            if form.real(match[group]):
                yield Found(form.kind, *match.span(group))
    if label and _LABEL.search(label) and _VALUE.fullmatch(text) and _random(text):
        yield Found("assignment", 0, len(text))


def _always(_value: str) -> bool:
    return True


def _random(value: str) -> bool:
    """Whether the value is as random as a key, and no stand-in for one."""
    mixed = any(each.isdigit() for each in value) and any(each.isalpha() for each in value)
    return mixed and entropy(value) >= ENTROPY and not _STAND_IN.match(value)


def _github(value: str) -> bool:
    """Whether it is random, or its last six characters are the CRC-32 of the 30 before, which no stand-in has."""
    body = value.rpartition("_")[2]
    return _checked(body) if len(body) == 36 and entropy(body) < ENTROPY else entropy(body) >= 3


def _checked(body: str) -> bool:
    number, digits = zlib.crc32(body[:-6].encode()), ""
    while number:
        number, rest = divmod(number, 62)
        digits = _BASE62[rest] + digits
    return digits.rjust(6, "0") == body[-6:]


def _jwt(value: str) -> bool:
    """Whether the header is JSON that names an algorithm."""
    head = value.partition(".")[0]
    try:
        header = json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))
    except (binascii.Error, ValueError):
        return False
    return isinstance(header, dict) and "alg" in header


def _password(value: str) -> bool:
    return not _STAND_IN.match(value)


_FORMATS: tuple[_Format, ...] = (
    _Format(
        "private_key",
        re.compile(
            r"-----BEGIN (?:[A-Z0-9]{1,16} ){0,3}PRIVATE KEY(?: BLOCK)?-----"
            r"(?:(?!-----)[\s\S]){0,16384}(?:-----END [A-Z0-9 ]{0,64}-----)?"
        ),
        _always,
    ),
    _Format("aws", re.compile(r"(?<![A-Z0-9])(?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16}(?![A-Z0-9])"), _always),
    _Format(
        "github",
        re.compile(r"(?<![A-Za-z0-9])(?:gh[pousr]_[A-Za-z0-9]{36,251}|github_pat_[A-Za-z0-9]{22}_[A-Za-z0-9]{59})"),
        _github,
    ),
    _Format(
        "slack",
        re.compile(
            r"xox[abeoprs]-[A-Za-z0-9-]{10,250}|xapp-\d-[A-Z0-9]{5,20}-\d{5,20}-[a-z0-9]{20,100}"
            r"|https://hooks\.slack\.com/(?:services|workflows)/[A-Za-z0-9/_-]{20,120}"
        ),
        _always,
    ),
    _Format(
        "google",
        re.compile(r"AIza[A-Za-z0-9_-]{35}(?![A-Za-z0-9_-])|GOCSPX-[A-Za-z0-9_-]{28}|ya29\.[A-Za-z0-9_-]{20,512}"),
        _always,
    ),
    _Format("stripe", re.compile(r"(?:sk|rk)_(?:live|test)_[A-Za-z0-9]{16,250}|whsec_[A-Za-z0-9+/=]{24,128}"), _always),
    _Format("anthropic", re.compile(r"sk-ant-[a-z]{3,8}\d{2}-[A-Za-z0-9_-]{20,250}"), _always),
    _Format(
        "openai",
        re.compile(r"sk-(?:proj|svcacct|admin|None)-[A-Za-z0-9_-]{20,250}|sk-[A-Za-z0-9]{20}T3BlbkFJ[A-Za-z0-9]{20}"),
        _always,
    ),
    _Format(
        "jwt",
        re.compile(r"(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{8,2048}\.eyJ[A-Za-z0-9_-]{8,8192}\.[A-Za-z0-9_-]{10,2048}"),
        _jwt,
    ),
    _Format(
        "connection_string",
        re.compile(r"\b[a-z][a-z0-9+.-]{1,20}://[^\s:@/\"'<>]{0,128}:(?P<value>[^\s@/\"'<>]{3,256})@[A-Za-z0-9\[]"),
        _password,
    ),
    _Format(
        "assignment",
        re.compile(
            rf"(?:{_NAMES}|(?<!page_)(?<!next_)(?<!page)(?<!next)token)[\w.-]{{0,24}}[\"']?\s{{0,4}}(?:=>|:=|=|:)\s{{0,4}}"
            r"[\"']?(?:Bearer )?(?P<value>[^\s\"',;&]{16,512})",
            re.IGNORECASE,
        ),
        _random,
    ),
)
"""From the most particular to the most general: of two that overlap, the first counts."""
