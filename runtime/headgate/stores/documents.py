"""Overlay documents as the ledger keeps them: what was declared through the API instead of in the tree.

Times are epoch seconds. The ledger understands nothing of what a document says.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import msgspec


class DocumentRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One document: `kind` is the table that it belongs to, such as `auth.keys`, `body` what stands in that table.

    `sealed` is one encrypted text with the secrets that the body leaves out, None when there are none. `revision`
    counts from 1. `created_by` and `updated_by` are names of principals.
    """

    kind: str
    name: str
    body: dict[str, Any]
    sealed: str | None
    revision: int
    created_at: float
    created_by: str
    updated_at: float
    updated_by: str


class DocumentChange(msgspec.Struct, frozen=True, kw_only=True):
    """What becomes of one document: it is written, or deleted when `body` is None."""

    kind: str
    name: str
    body: dict[str, Any] | None
    at: float
    by: str
    sealed: str | None = None


class Documents(msgspec.Struct, frozen=True):
    """All documents, by kind and name, and the generation that they are: it grows with every change."""

    generation: int = 0
    records: tuple[DocumentRecord, ...] = ()


class DocumentLedger(Protocol):
    """Overlay documents: what was declared through the API."""

    async def documents(self) -> Documents:
        """All documents as they are at one moment, and the generation that they are."""
        ...

    async def generation(self) -> int:
        """The generation of the documents; 0 before the first change."""
        ...

    async def change_documents(self, changes: Sequence[DocumentChange], generation: int, /) -> int:
        """Makes the changes, all or none; returns the new generation.

        Raises `StoreError` with the code `store_conflict` when the documents are not of this `generation` any more, or
        when one to be deleted does not exist.
        """
        ...

    async def reseal_document(self, kind: str, name: str, revision: int, sealed: str, /) -> bool:
        """Replaces what is encrypted in a document that has this revision, by the same under another key: neither the
        revision nor the generation changes. Whether the document had the revision."""
        ...
