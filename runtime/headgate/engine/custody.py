"""Keeps what people grant the gateway at servers: a `Vault` on the ledger, encrypted with its keys."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterable
from weakref import WeakValueDictionary

import msgspec
import structlog

from headgate.core.errors import StoreError
from headgate.core.vault import Kept
from headgate.stores.cipher import Cipher
from headgate.stores.credentials import CredentialKey, CredentialLedger, CredentialRecord

log = structlog.get_logger("headgate.custody")

_Sealed = tuple[str, str, str, str]
"""Kind, owner, name and text: what lies in one row cannot be passed off as another's."""
_opened = msgspec.json.Decoder(_Sealed).decode


class Custody:
    """The vault of one ledger."""

    def __init__(self, ledger: CredentialLedger, cipher: Cipher, clock: Callable[[], float] = time.time) -> None:
        self._ledger = ledger
        self._cipher = cipher
        self._clock = clock
        self._locks: WeakValueDictionary[CredentialKey, asyncio.Lock] = WeakValueDictionary()

    async def read(self, kind: str, owner: str, name: str, /) -> Kept | None:
        """See `Vault.read`."""
        return self._kept(await self._ledger.credential((kind, owner, name)))

    async def write(self, kind: str, owner: str, name: str, text: str, /, *, expires_at: float | None = None) -> None:
        """See `Vault.write`."""
        now = self._clock()
        record = CredentialRecord(
            kind=kind, owner=owner, name=name, sealed=self._seal((kind, owner, name), text), created_at=now,
            updated_at=now, expires_at=expires_at,
        )  # fmt: skip
        await self._ledger.put_credential(record)

    async def change(self, kind: str, owner: str, name: str, text: str, revision: int, /) -> bool:
        """See `Vault.change`."""
        key = (kind, owner, name)
        return await self._ledger.change_credential(key, self._seal(key, text), revision, self._clock())

    async def take(self, kind: str, owner: str, name: str, /) -> Kept | None:
        """See `Vault.take`."""
        return self._kept(await self._ledger.take_credential((kind, owner, name)))

    async def owners(self, kind: str, name: str, /) -> tuple[str, ...]:
        """See `Vault.owners`."""
        found = await self._ledger.credentials()
        return tuple(each.owner for each in found if (each.kind, each.name) == (kind, name) and self._kept(each))

    def alone(self, kind: str, owner: str, name: str, /) -> asyncio.Lock:
        """See `Vault.alone`."""
        return self._locks.setdefault((kind, owner, name), asyncio.Lock())

    async def renew(self) -> int:
        """Encrypts anew what is encrypted with an older key than the first; how many texts that were. What no key fits
        is left alone: the key may come back."""
        renewed = 0
        for each in await self._ledger.credentials():
            text = None if self._cipher.fresh(each.sealed) else self._text(each)
            if text is not None:
                renewed += await self._ledger.reseal_credential(each.key, self._seal(each.key, text), each.revision)
        return renewed

    async def all(self) -> dict[CredentialKey, str]:
        """Every text that can be read and whose time is not over."""
        found = {each.key: self._kept(each) for each in await self._ledger.credentials()}
        return {key: kept.text for key, kept in found.items() if kept is not None}

    async def forget(self, keys: Iterable[CredentialKey]) -> int:
        """Forgets these texts, and all whose time is over; how many there were."""
        return await self._ledger.forget_credentials(tuple(keys), self._clock())

    def _seal(self, key: CredentialKey, text: str) -> str:
        return self._cipher.seal(msgspec.json.encode((*key, text)).decode())

    def _kept(self, record: CredentialRecord | None) -> Kept | None:
        if record is None or (record.expires_at is not None and record.expires_at <= self._clock()):
            return None
        text = self._text(record)
        return Kept(text, record.revision) if text is not None else None

    def _text(self, record: CredentialRecord) -> str | None:
        with contextlib.suppress(StoreError, msgspec.DecodeError):
            sealed: _Sealed = _opened(self._cipher.open(record.sealed))
            if sealed[:3] == record.key:
                return sealed[3]
        log.warning("custody.not_readable", kind=record.kind, owner=record.owner, name=record.name)
        return None
