"""Overlay documents in SQL: every change moves the counter that says which generation they are."""

from __future__ import annotations

from collections.abc import Sequence

from headgate.stores.documents import DocumentChange, DocumentRecord, Documents
from headgate.stores.sql.database import Database, Guard, Statement
from headgate.stores.sql.rows import bind, document_record
from headgate.stores.sql.statements import insert, select

_FIELDS = DocumentRecord.__struct_fields__
_SELECT = select("documents", _FIELDS) + " ORDER BY kind, name"
_GENERATION = "SELECT value FROM counters WHERE name = 'documents'"
_BEGIN = "INSERT INTO counters (name, value) VALUES ('documents', 0) ON CONFLICT (name) DO NOTHING"
_MOVE = "UPDATE counters SET value = value + 1 WHERE name = 'documents' AND value = :generation"
_PUT = f"""
{insert("documents", _FIELDS)}
ON CONFLICT (kind, name) DO UPDATE SET
    body = :body, sealed = :sealed, revision = documents.revision + 1,
    updated_at = :updated_at, updated_by = :updated_by
"""
_RESEAL = "UPDATE documents SET sealed = :sealed WHERE kind = :kind AND name = :name AND revision = :revision"
_DELETE = "DELETE FROM documents WHERE kind = :kind AND name = :name"

_MOVED = Guard("store_conflict", "The documents were changed by somebody else at the same time.")
_MISSING = Guard("store_conflict", "There is no such document.")


class SqlDocuments:
    """Fulfils `DocumentLedger`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def documents(self) -> Documents:
        """See `DocumentLedger.documents`."""
        counted, rows = await self._database.view(Statement(_GENERATION), Statement(_SELECT))
        return Documents(counted[0][0] if counted else 0, tuple(map(document_record, rows)))

    async def generation(self) -> int:
        """See `DocumentLedger.generation`."""
        rows = await self._database.read(_GENERATION)
        return int(rows[0][0]) if rows else 0

    async def change_documents(self, changes: Sequence[DocumentChange], generation: int, /) -> int:
        """See `DocumentLedger.change_documents`."""
        moving = Statement(_MOVE, ({"generation": generation},), _MOVED)
        await self._database.write(Statement(_BEGIN), moving, *map(_changing, changes))
        return generation + 1

    async def reseal_document(self, kind: str, name: str, revision: int, sealed: str, /) -> bool:
        """See `DocumentLedger.reseal_document`."""
        row = {"kind": bind(kind), "name": bind(name), "revision": revision, "sealed": bind(sealed)}
        (done,) = await self._database.write(Statement(_RESEAL, (row,)))
        return done == 1


def _changing(change: DocumentChange) -> Statement:
    key = {"kind": bind(change.kind), "name": bind(change.name)}
    if change.body is None:
        return Statement(_DELETE, (key,), _MISSING)
    row = key | {"body": bind(change.body), "sealed": bind(change.sealed), "revision": 1}
    row |= {"created_at": change.at, "updated_at": change.at}
    row |= {"created_by": bind(change.by), "updated_by": bind(change.by)}
    return Statement(_PUT, (row,))
