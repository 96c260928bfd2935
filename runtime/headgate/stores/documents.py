"""Overlay documents as the ledger keeps them (D10): what was declared through the API instead of in the tree.

Times are epoch seconds. The ledger understands nothing of what a document says.
"""

from __future__ import annotations

from typing import Any

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
