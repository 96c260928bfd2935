"""The typed form of `[auth]`: who may call, and what."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from headgate.compile.policies import Globs
from headgate.core.apikeys import digest_of
from headgate.core.kind import Spec
from headgate.core.scalars import Name, Patience, Secret

RESTART = {"x-reload": "restart"}
_SCOPE = r"^(\*|[a-z][a-z0-9_-]*)(:(\*|[a-z0-9_-]+)){0,2}$"
_HASH = r"^sha256:[0-9a-f]{64}$"


def seconds_of(moment: str) -> float:
    """Epoch seconds of a time in ISO 8601, which is in UTC unless it says otherwise; raises `ValueError`."""
    found = datetime.fromisoformat(moment)
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()


def _moment(value: str) -> str:
    try:
        seconds_of(value)
    except (ValueError, OverflowError):
        raise PydanticCustomError("moment", "{value} is no time", {"value": repr(value), "hint": _WHEN}) from None
    return value


_WHEN = "write it as 2027-01-31T12:00:00Z"
Moment = Annotated[str, AfterValidator(_moment), Field(examples=["2027-01-31T12:00:00Z"])]


class PreviousKey(Spec):
    """A secret that is being replaced."""

    key_hash: Annotated[str, Field(pattern=_HASH)]
    """`sha256:` and the SHA-256 of the secret."""
    until: Moment
    """When it stops working."""


class Key(Spec):
    """An API key and what its holder may do."""

    key: Annotated[str, Field(min_length=8, json_schema_extra={"x-secret": True})] | None = None
    """The secret itself; a reference, such as `${env:NAME}`. A key has this or `key_hash`."""
    key_hash: Annotated[str, Field(pattern=_HASH, examples=[f"sha256:{'0' * 64}"])] | None = None
    """`sha256:` and the SHA-256 of the secret, for one that is long and random: `headgate keys new` makes both."""
    previous: PreviousKey | None = None
    """The secret before the last rotation, while it is still accepted."""
    team: str = "default"
    """The team that the key belongs to."""
    scopes: tuple[Annotated[str, Field(pattern=_SCOPE, examples=["chat", "admin:*"])], ...] = ("chat",)
    """What the key may do: `area[:action[:object]]`, with `*`."""
    agents: Globs = ("*",)
    """Globs of the agents that the key may see and call."""
    tools: Globs = ("*",)
    """Globs of the tools that agents may use for this key."""
    profile: Name | None = None
    """The agents' profile that applies to this key."""
    expires_at: Moment | None = None
    """When the key stops working; runs that it has in progress end then."""
    description: Annotated[str, Field(max_length=500)] | None = None
    """What the key is for, or who has it."""

    @property
    def digest(self) -> str:
        """The SHA-256 of the secret, in hexadecimal."""
        return digest_of(self.key) if self.key is not None else (self.key_hash or "").removeprefix("sha256:")


class Auth(Spec):
    """Who may call."""

    session_ttl: Patience = 3600.0
    """How long a session token is valid, from its creation."""
    session_secret: Annotated[
        Annotated[Secret, Field(min_length=32)] | None, Field(json_schema_extra={**RESTART, "x-secret": True})
    ] = None
    """Signs session tokens; generated once and kept in the state directory when it is not given."""
    encryption_key: Annotated[
        Annotated[Secret, Field(min_length=32)] | None, Field(json_schema_extra={**RESTART, "x-secret": True})
    ] = None
    """Encrypts secrets that arrive through the API; generated once and kept in the state directory when it is not
    given."""
    previous_encryption_keys: Annotated[
        tuple[Annotated[Secret, Field(min_length=32)], ...], Field(json_schema_extra=RESTART)
    ] = ()
    """Keys that still decrypt; what they decrypt is encrypted anew with `encryption_key` at the next start."""
    keys: dict[Name, Key] = {}
    """API keys by name."""
