"""API keys that are made while the gateway runs, or beside one that does not: documents of the table `auth.keys`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from pydantic import ValidationError

from headgate.compile.auth import Key
from headgate.core.apikeys import digest_of, new_key
from headgate.core.context import Principal
from headgate.core.errors import Invalid
from headgate.engine.amend import Change
from headgate.engine.rights import require_within

KIND = "auth.keys"


@dataclass(frozen=True, slots=True)
class Minted:
    """A fresh secret, and the change that makes it count."""

    secret: str = field(repr=False)
    change: Change


def mint(name: str, said: Mapping[str, Any], by: Principal) -> Minted:
    """A new key with these members of `auth.keys.NAME`; raises `Forbidden` for what `by` may not give."""
    secret = new_key()
    body = {"key_hash": hashed(secret), **said}
    require_within(by, typed(body))
    return Minted(secret, Change(KIND, name, body, by.key, new=True))


def patch(name: str, held: Mapping[str, Any], said: Mapping[str, Any], by: Principal) -> Change:
    """The change of a key that says `held`; what is None goes. Raises `Forbidden` when `by` may not give what it says
    then, or may not change what it says now."""
    body = {key: value for key, value in {**held, **said}.items() if value is not None}
    require_within(by, typed(held))
    require_within(by, typed(body))
    return Change(KIND, name, body, by.key, new=False)


def rotate(name: str, held: Mapping[str, Any], overlap: float, by: Principal, now: float) -> Minted:
    """A new secret for a key that says `held`; the old one works for `overlap` seconds more."""
    require_within(by, typed(held))
    secret, body = new_key(), {key: value for key, value in held.items() if key not in ("previous", "key")}
    before = typed(held).digest
    body["key_hash"] = hashed(secret)
    if overlap:
        until = datetime.fromtimestamp(now + overlap, UTC).isoformat(timespec="seconds")
        body["previous"] = {"key_hash": f"sha256:{before}", "until": until}
    return Minted(secret, Change(KIND, name, body, by.key, new=False))


def revoke(name: str, held: Mapping[str, Any] | None, by: Principal) -> Change:
    """The end of a key."""
    if held is not None:
        require_within(by, typed(held))
    return Change(KIND, name, None, by.key)


def hashed(secret: str) -> str:
    """The secret as it is kept."""
    return f"sha256:{digest_of(secret)}"


def typed(body: Mapping[str, Any]) -> Key:
    """The key, if its members have the right form; raises `Invalid`."""
    try:
        return Key.model_validate(dict(body))
    except ValidationError as error:
        wrong = [
            {"detail": each["msg"], "pointer": "#" + "".join(f"/{part}" for part in each["loc"])}
            for each in error.errors(include_url=False, include_input=False)
        ]
        raise Invalid(f"the key is not in order: {wrong[0]['detail']}", details={"errors": wrong}) from None
