"""Contracts of the ledger: overlay documents."""

from __future__ import annotations

import asyncio
from typing import Any

from headgate.core.errors import StoreError
from headgate.stores.documents import DocumentChange, DocumentRecord, Documents
from headgate.testing.ledger_checks import Contract, Opener, refused, same

KEYS = "auth.keys"


def a_document(name: str = "ci", **changes: Any) -> DocumentChange:
    """A key that somebody made at 100."""
    fields = {"kind": KEYS, "name": name, "body": {"team": "ops", "agents": ["*"]}, "at": 100.0, "by": "local"}
    return DocumentChange(**{**fields, **changes})


async def documents_come_back(opener: Opener) -> None:
    """A document comes back as it was written, with who made it and who changed it last; others are as they were."""
    async with opener() as ledger:
        same((await ledger.documents(), await ledger.generation()), (Documents(), 0))
        first = (a_document(sealed="gAAA"), a_document("b", body={"x": ["\u00e9", None, 1.5, {}]}))
        same(await ledger.change_documents(first, 0), 1)
        later = a_document(body={"team": "web"}, at=200.0, by="ann")
        same(await ledger.change_documents([later], 1), 2)
        found = await ledger.documents()
        same((found.generation, await ledger.generation()), (2, 2))
        times: dict[str, Any] = {"created_at": 100.0, "created_by": "local"}
        b = DocumentRecord(
            kind=KEYS, name="b", body={"x": ["\u00e9", None, 1.5, {}]}, sealed=None, revision=1,
            updated_at=100.0, updated_by="local", **times,
        )  # fmt: skip
        ci = DocumentRecord(
            kind=KEYS, name="ci", body={"team": "web"}, sealed=None, revision=2, updated_at=200.0, updated_by="ann",
            **times,
        )  # fmt: skip
        same(found.records, (b, ci))


async def documents_go(opener: Opener) -> None:
    """A deleted document is gone, and one that is made again begins anew; what is not there cannot be deleted."""
    async with opener() as ledger:
        await ledger.change_documents([a_document(), a_document(kind="other")], 0)
        gone = a_document(body=None)
        same(await ledger.change_documents([gone], 1), 2)
        same([(each.kind, each.name) for each in (await ledger.documents()).records], [("other", "ci")])
        await refused(ledger.change_documents([gone], 2), "store_conflict")
        await refused(ledger.change_documents([a_document("new"), gone], 2), "store_conflict")
        same((await ledger.generation(), len((await ledger.documents()).records)), (2, 1))
        await ledger.change_documents([a_document(at=300.0)], 2)
        same(
            [(each.revision, each.created_at) for each in (await ledger.documents()).records], [(1, 300.0), (1, 100.0)]
        )


async def stale_changes_are_refused(opener: Opener) -> None:
    """Of many that change the documents of one generation at once, one does; the others change nothing."""
    async with opener() as ledger:
        await refused(ledger.change_documents([a_document()], 1), "store_conflict")
        same(await ledger.documents(), Documents())
        asked = [ledger.change_documents([a_document(f"n{i}")], 0) for i in range(20)]
        done = await asyncio.gather(*asked, return_exceptions=True)
        lost = [each.code for each in done if isinstance(each, StoreError)]
        same((lost, [each for each in done if each == 1]), (["store_conflict"] * 19, [1]))
        same(((await ledger.generation()), len((await ledger.documents()).records)), (1, 1))


async def secrets_are_resealed(opener: Opener) -> None:
    """What is encrypted can be replaced without a change of the document, if that is the revision that was read."""
    async with opener() as ledger:
        await ledger.change_documents([a_document(sealed="old"), a_document("b", sealed="b")], 0)
        before = await ledger.documents()
        same(await ledger.reseal_document(KEYS, "ci", 2, "lost"), False)
        same(await ledger.reseal_document(KEYS, "none", 1, "lost"), False)
        same(await ledger.documents(), before)
        same(await ledger.reseal_document(KEYS, "ci", 1, "new"), True)
        after = await ledger.documents()
        same((after.generation, [each.sealed for each in after.records]), (1, ["b", "new"]))
        same([each.revision for each in after.records], [1, 1])


async def documents_survive(opener: Opener) -> None:
    """Another user of the store sees each change, and so does whoever opens it later."""
    async with opener() as ledger:
        async with opener() as other:
            await ledger.change_documents([a_document()], 0)
            same((await other.generation(), await other.documents()), (1, await ledger.documents()))
            await other.change_documents([a_document("b")], 1)
            await refused(ledger.change_documents([a_document("c")], 1), "store_conflict")
        before = await ledger.documents()
    async with opener() as ledger:
        same(await ledger.documents(), before)


DOCUMENTS: tuple[Contract, ...] = (
    documents_come_back,
    documents_go,
    stale_changes_are_refused,
    secrets_are_resealed,
    documents_survive,
)
"""The contracts of this module."""
