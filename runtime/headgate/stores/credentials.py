"""What people grant the gateway at servers, as the ledger keeps it: encrypted texts, which it understands nothing of.

Times are epoch seconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec

CredentialKey = tuple[str, str, str]
"""Kind, owner and name."""


class CredentialRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One text. `kind` says what it is, `owner` whose, `name` for which server. `revision` counts from 1, also after it
    was replaced; `expires_at` is None for one that is kept until it is forgotten."""

    kind: str
    owner: str
    name: str
    sealed: str
    revision: int = 1
    created_at: float
    updated_at: float
    expires_at: float | None = None

    @property
    def key(self) -> CredentialKey:
        """What it is found by."""
        return self.kind, self.owner, self.name


class CredentialLedger(Protocol):
    """Encrypted texts of people and of the gateway itself."""

    async def credential(self, key: CredentialKey, /) -> CredentialRecord | None:
        """The record, expired or not, or None."""
        ...

    async def credentials(self) -> tuple[CredentialRecord, ...]:
        """All records, by kind, owner and name."""
        ...

    async def put_credential(self, record: CredentialRecord, /) -> None:
        """Keeps the record; one that is there already is replaced, but for its revision, which grows, and the time at
        which it was made."""
        ...

    async def change_credential(self, key: CredentialKey, sealed: str, revision: int, at: float, /) -> bool:
        """Replaces the text if the record has this revision, which grows; whether it had."""
        ...

    async def reseal_credential(self, key: CredentialKey, sealed: str, revision: int, /) -> bool:
        """Replaces the text by the same under another key of encryption, if the record has this revision, which stays;
        whether it had."""
        ...

    async def take_credential(self, key: CredentialKey, /) -> CredentialRecord | None:
        """Deletes the record and returns it: of many who take it at once, one gets it."""
        ...

    async def forget_credentials(self, keys: Sequence[CredentialKey], now: float, /) -> int:
        """Deletes these, and all whose time is over at `now`; how many there were."""
        ...
