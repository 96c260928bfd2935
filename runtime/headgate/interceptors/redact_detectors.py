"""What redaction knows by name: a pattern for each, which never goes back far over a text, and checksums where there
are any."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

Span = tuple[int, int]
Check = Callable[[str], Iterator[Span]]
_DIGITS = "0123456789 ().-+"
_CAPITALS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_LETTERS = _CAPITALS + _CAPITALS.lower() + "0123456789"


@dataclass(frozen=True, slots=True)
class Detector:
    """One thing that is looked for.

    The group `it` of the pattern, or all of a match, is what is meant; `check` picks the spans of it that are really
    meant. `needs` is a text without which there is no match. `reach` is how many characters tell that there is one, and
    `tail` the characters that they are of: any if empty.
    """

    pattern: re.Pattern[str]
    reach: int
    needs: str = ""
    tail: str = ""
    check: Check | None = None

    def spans(self, text: str, start: int = 0) -> Iterator[Span]:
        """Where it is in the text, from `start` on."""
        if self.needs not in text:
            return
        for match in self.pattern.finditer(text, start):
            first, last = match.span("it" if "it" in match.re.groupindex else 0)
            if self.check is None:
                yield first, last
            else:
                yield from ((first + a, first + b) for a, b in self.check(text[first:last]))

    def held(self, text: str) -> int:
        """How many characters at the end of the text may be the beginning of it."""
        end = text[-self.reach :]
        return len(end) - len(end.rstrip(self.tail)) if self.tail else len(end)


def _groups(text: str) -> tuple[list[int], list[int]]:
    """Where groups of letters and digits begin and end."""
    matches = list(re.finditer(r"[0-9A-Za-z]+", text))
    return [each.start() for each in matches], [each.end() for each in matches]


def _cards(text: str) -> Iterator[Span]:
    """The longest groups of 13 to 19 digits that pass the check of Luhn (ISO/IEC 7812-1)."""
    starts, ends = _groups(text)
    at = 0
    for start in starts:
        if start < at:
            continue
        for end in reversed(ends):
            digits = re.sub(r"\D", "", text[start:end])
            if 13 <= len(digits) <= 19 and digits[0] in "23456" and _luhn(digits):
                yield start, end
                at = end
                break


def _luhn(digits: str) -> bool:
    doubled = [int(each) * (1 + at % 2) for at, each in enumerate(reversed(digits))]
    return sum(each - 9 if each > 9 else each for each in doubled) % 10 == 0


def _ibans(text: str) -> Iterator[Span]:
    """The longest beginning whose check digits are right (ISO 13616, modulo 97)."""
    for end in reversed(_groups(text)[1]):
        plain = text[:end].replace(" ", "").upper()
        if 15 <= len(plain) <= 34 and int("".join(str(int(each, 36)) for each in plain[4:] + plain[:4])) % 97 == 1:
            yield 0, end
            return


def _addresses(text: str) -> Iterator[Span]:
    """The text if it is an address of IPv6, without a point or colon behind it."""
    for end in range(len(text), max(len(text) - 2, 2), -1):
        try:
            ipaddress.IPv6Address(text[:end])
        except ValueError:
            continue
        if any(each.isdigit() for each in text[:end]):
            yield 0, end
        return


def _detector(pattern: str, reach: int, needs: str = "", *, tail: str = "", check: Check | None = None) -> Detector:
    return Detector(re.compile(pattern), reach, needs, tail, check)


_OCTET = r"(?:25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])"

DETECTORS: dict[str, Detector] = {
    "email": _detector(
        r"(?<![A-Za-z0-9._%+-])[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,185}[A-Za-z0-9])?\.[A-Za-z]{2,24}",
        280, "@", tail=_LETTERS + "._%+-@",
    ),
    "phone": _detector(
        r"(?<![\w.+])(?:\+[0-9](?:[ ().-]{0,2}[0-9]){7,14}"
        r"|(?:1[ .-])?(?:\([0-9]{3}\) ?|[0-9]{3}[ .-])[0-9]{3}[ .-][0-9]{4})(?!\w)",
        46, tail=_DIGITS,
    ),
    "credit_card": _detector(r"(?<!\w)[0-9](?:[ -]?[0-9]){12,40}(?![0-9])", 83, tail=_DIGITS, check=_cards),
    "iban": _detector(
        r"(?<!\w)[A-Za-z]{2}[0-9]{2}(?: ?[A-Za-z0-9]){11,30}(?!\w)", 70, tail=_LETTERS + " ", check=_ibans
    ),
    "ssn": _detector(
        r"(?<![\w-])(?!000|666|9[0-9][0-9])[0-9]{3}[ -](?!00)[0-9]{2}[ -](?!0000)[0-9]{4}(?![\w-])", 12, tail=_DIGITS
    ),
    "ipv4": _detector(rf"(?<![\w.])(?:{_OCTET}\.){{3}}{_OCTET}(?!\.?\w)", 16, ".", tail=_DIGITS),
    "ipv6": _detector(
        r"(?<![\w:.])(?=[0-9A-Fa-f]{0,4}:)[0-9A-Fa-f:][0-9A-Fa-f:.]{1,45}(?![\w:])", 48, ":",
        tail=_LETTERS + ":.", check=_addresses,
    ),
    "jwt": _detector(
        r"(?<![\w-])eyJ[A-Za-z0-9_-]{6,250}\.[A-Za-z0-9_-]{2,}(?:\.[A-Za-z0-9_-]*)*", 256, "eyJ", tail=_LETTERS + "_-."
    ),
    "aws_key": _detector(
        r"(?<![A-Za-z0-9])(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}(?![A-Za-z0-9])"
        r"|(?<=[\s\"'=:])(?=[A-Za-z0-9/+]{0,39}[0-9])(?=[A-Za-z0-9/+]{0,39}[A-Z])(?=[A-Za-z0-9/+]{0,39}[a-z])"
        r"[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+=])",
        41, tail=_LETTERS + "/+=",
    ),
    "private_key": _detector(
        r"-----BEGIN [A-Z ]{0,30}PRIVATE KEY(?: BLOCK)?-----(?s:.*?)"
        r"(?:-----END [A-Z ]{0,30}PRIVATE KEY(?: BLOCK)?-----|\Z)",
        70, "PRIVATE KEY", tail=_CAPITALS + "- ",
    ),
    "url_credentials": _detector(
        r"(?<=://)(?P<it>[^\s/?#:@\"'<>]{0,100}:[^\s/?#@\"'<>]{1,200})@", 302, "://", tail="".join(
            chr(each) for each in range(0x21, 0x7F)
        ),
    ),
    "bearer_token": _detector(r"(?<=[Bb]earer )[A-Za-z0-9._~+/-]{16,}=*", 32, "earer "),
}  # fmt: skip
"""Every detector by name."""
