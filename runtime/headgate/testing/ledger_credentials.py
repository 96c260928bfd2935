"""Contracts of the ledger: encrypted texts of people."""

from __future__ import annotations

import asyncio
from typing import Any

from msgspec.structs import replace

from headgate.stores.credentials import CredentialRecord
from headgate.testing.ledger_checks import Contract, Opener, same


def a_credential(owner: str = "ann", **changes: Any) -> CredentialRecord:
    """What ann granted at a server at 100."""
    fields = {
        "kind": "grant",
        "owner": owner,
        "name": "crm",
        "sealed": "gAAA",
        "created_at": 100.0,
        "updated_at": 100.0,
    }
    return CredentialRecord(**{**fields, **changes})


async def credentials_come_back(opener: Opener) -> None:
    """A record comes back as it was written; one that is written again keeps when it was made, and counts."""
    async with opener() as ledger:
        first, other = a_credential(), a_credential("b\u00e9", expires_at=500.0)
        same(await ledger.credential(first.key), None)
        await ledger.put_credential(first)
        await ledger.put_credential(other)
        same(await ledger.credentials(), (first, other))
        await ledger.put_credential(replace(first, sealed="new", created_at=200.0, updated_at=200.0, expires_at=9.0))
        again = replace(first, sealed="new", revision=2, updated_at=200.0, expires_at=9.0)
        same((await ledger.credential(first.key), await ledger.credential(other.key)), (again, other))


async def credentials_change_once(opener: Opener) -> None:
    """A text is replaced only where the record has the revision that was read; of many at once one is taken."""
    async with opener() as ledger:
        record = a_credential()
        same(await ledger.change_credential(record.key, "lost", 1, 200.0), False)
        await ledger.put_credential(record)
        asked = [ledger.change_credential(record.key, f"n{i}", 1, 200.0) for i in range(20)]
        same(sorted(await asyncio.gather(*asked)), [False] * 19 + [True])
        found = await ledger.credential(record.key)
        same(found and (found.revision, found.created_at, found.updated_at), (2, 100.0, 200.0))


async def credentials_are_resealed(opener: Opener) -> None:
    """What is encrypted can be replaced without a change of the record, if that is the one that was read."""
    async with opener() as ledger:
        record = a_credential()
        await ledger.put_credential(record)
        same(await ledger.reseal_credential(record.key, "lost", 2), False)
        same(await ledger.reseal_credential(record.key, "new", 1), True)
        same(await ledger.credential(record.key), replace(record, sealed="new"))


async def credentials_are_taken_once(opener: Opener) -> None:
    """Of many who take a record at once, one gets it; the others get nothing, and so does who comes later."""
    async with opener() as ledger:
        record = a_credential()
        await ledger.put_credential(record)
        taken = await asyncio.gather(*(ledger.take_credential(record.key) for _ in range(20)))
        same([each for each in taken if each is not None], [record])
        same((await ledger.take_credential(record.key), await ledger.credentials()), (None, ()))


async def credentials_go(opener: Opener) -> None:
    """What is forgotten is gone, with all whose time is over; the rest stays."""
    async with opener() as ledger:
        kept = a_credential("kept", expires_at=301.0)
        for each in (a_credential(), a_credential("late", expires_at=300.0), a_credential("b"), kept):
            await ledger.put_credential(each)
        gone = [a_credential().key, ("grant", "none", "crm")]
        same(await ledger.forget_credentials(gone, 300.0), 2)
        same([each.owner for each in await ledger.credentials()], ["b", "kept"])
        same(await ledger.forget_credentials((), 300.0), 0)


async def credentials_survive(opener: Opener) -> None:
    """What was kept is there when the store is opened again."""
    async with opener() as ledger:
        await ledger.put_credential(a_credential())
    async with opener() as ledger:
        same(await ledger.credentials(), (a_credential(),))


CREDENTIALS: tuple[Contract, ...] = (
    credentials_come_back,
    credentials_change_once,
    credentials_are_resealed,
    credentials_are_taken_once,
    credentials_go,
    credentials_survive,
)
"""The contracts of this module."""
