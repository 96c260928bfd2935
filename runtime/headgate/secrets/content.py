"""What a back-end holds at a path, and how one text is taken from it."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass, field
from typing import Any

import msgspec

from headgate.core.ports import SecretValue
from headgate.secrets.failures import SecretNotFound, SecretUnavailable

MAX_BYTES = 64 << 10
"""The largest secret, in bytes."""

_SALT = secrets.token_bytes(32)  # so that the version of a short secret cannot be turned back into it
_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Content:
    """All that a back-end holds at one path: a text, or the members of an object."""

    body: str | dict[str, Any] = field(repr=False)
    version: str = ""

    def pick(self, path: str, key: str | None) -> SecretValue:
        """The whole text, or the member `key`; of an object without a key its only member."""
        value = self._member(path, key)
        if not value:
            raise SecretNotFound(f"the secret {_name(path, key)} is empty")
        if "\0" in value:
            raise SecretUnavailable(f"the secret {_name(path, key)} is not text")
        return SecretValue(value, self.version or _fingerprint(value))

    def _member(self, path: str, key: str | None) -> str:
        if key is None and isinstance(self.body, str):
            return self.body
        members = self.body if isinstance(self.body, dict) else _parse(self.body, path)
        if key is None:
            if len(members) != 1:
                raise SecretNotFound(f"the secret {path} has {len(members)} members; name one, as in {path}#password")
            key = next(iter(members))
        if key not in members:
            raise SecretNotFound(f"the secret {path} has no member {key!r}")
        value = members[key]
        return value if isinstance(value, str) else _encode(value).decode()


def decode_text(data: bytes, path: str) -> str:
    """The text without one line end at its end; raises `SecretUnavailable` when it is too large or not UTF-8."""
    if len(data) > MAX_BYTES:
        raise SecretUnavailable(f"the secret {path} is larger than {MAX_BYTES} bytes")
    try:
        return data.decode("utf-8").removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        raise SecretUnavailable(f"the secret {path} is not UTF-8 text") from None


def parse_members(text: str | bytes) -> dict[str, Any] | None:
    """The members of a JSON object, or None when it is none."""
    try:
        members = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None
    return members if isinstance(members, dict) else None


def _parse(text: str, path: str) -> dict[str, Any]:
    members = parse_members(text)
    if members is None:
        raise SecretNotFound(f"the secret {path} is not a JSON object, so it has no members")
    return members


def _name(path: str, key: str | None) -> str:
    return path if key is None else f"{path}#{key}"


def _fingerprint(value: str) -> str:
    return hashlib.blake2b(value.encode("utf-8", "surrogatepass"), key=_SALT, digest_size=8).hexdigest()
