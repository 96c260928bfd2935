"""API keys that the gateway makes: `hg_` + 256 random bits + a checksum.

What is kept of a key is its SHA-256. A slow hash (bcrypt, Argon2) makes guessing costly where people choose what is
hashed; nobody can guess 256 random bits, so it would only cost every request its time.
"""

from __future__ import annotations

import secrets
from hashlib import sha256
from zlib import crc32

PREFIX = "hg_"
_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_RANDOM, _CHECK = 43, 6
"""Digits to the base 62: 43 hold 256 bits, 6 the CRC-32 of those before."""


def new_key() -> str:
    """A fresh key."""
    body = _digits(secrets.randbits(256), _RANDOM)
    return f"{PREFIX}{body}{_checksum(body)}"


def mistyped(key: str) -> bool:
    """Whether the text looks like one of our keys and cannot be one: a character is wrong or missing."""
    if not key.startswith(PREFIX):
        return False
    body = key[len(PREFIX) : -_CHECK]
    return len(body) != _RANDOM or key[-_CHECK:] != _checksum(body)


def digest_of(key: str) -> str:
    """What is kept of a key: its SHA-256, in hexadecimal."""
    return sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


def _checksum(body: str) -> str:
    return _digits(crc32(body.encode("utf-8", "surrogatepass")), _CHECK)


def _digits(number: int, width: int) -> str:
    found = ""
    while number:
        number, rest = divmod(number, len(_DIGITS))
        found = _DIGITS[rest] + found
    return found.rjust(width, _DIGITS[0])
