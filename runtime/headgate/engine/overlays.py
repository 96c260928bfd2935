"""Between the overlay that is compiled and the documents of the ledger: secrets are kept apart, and encrypted."""

from __future__ import annotations

import copy
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

import msgspec

from headgate.compile.overlay import Overlay, OverlayDocument
from headgate.core.errors import StoreError
from headgate.core.kind import Key
from headgate.engine.custody import Custody
from headgate.stores.cipher import Cipher
from headgate.stores.documents import DocumentChange, DocumentLedger, DocumentRecord

_Secrets = list[tuple[list[str | int], str]]
"""Where each secret stands in its document, and the secret."""
_secrets = msgspec.json.Decoder(_Secrets).decode
LOST = (
    "its secrets cannot be decrypted, no encryption key fits: bring the key back, as the file encryption_key of the "
    "state directory or in [auth] previous_encryption_keys, and start again; or give the secrets anew"
)
"""What is said of a document whose key is lost."""


@dataclass(frozen=True, slots=True)
class Overlays:
    """The overlay of one ledger."""

    ledger: DocumentLedger
    cipher: Cipher
    custody: Custody | None = None
    """Where servers keep what people grant; it lies in the same ledger, under the same keys."""

    async def read(self) -> Overlay:
        """All documents with their secrets, those whose secrets cannot be decrypted with a `fault`; raises
        `StoreError`."""
        found = await self.ledger.documents()
        return Overlay(found.generation, tuple(map(self._opened, found.records)))

    async def generation(self) -> int:
        """The generation of the documents as they are now."""
        return await self.ledger.generation()

    async def put(
        self, document: OverlayDocument, sealed: Collection[Key], generation: int, *, was: str | None = None
    ) -> None:
        """Keeps the document, which has secrets at the keys `sealed`; raises `StoreError` as the ledger does. `was` is
        the name that it had before."""
        changes = [self._change(document, sealed)]
        if was is not None:
            changes.append(DocumentChange(kind=document.kind, name=was, body=None, at=document.at, by=document.by))
        await self.ledger.change_documents(changes, generation)

    async def delete(self, document: OverlayDocument, *, by: str, at: float, generation: int) -> None:
        """Forgets the document; raises `StoreError` as the ledger does."""
        gone = DocumentChange(kind=document.kind, name=document.name, body=None, at=at, by=by)
        await self.ledger.change_documents([gone], generation)

    async def renew(self) -> int:
        """Encrypts anew what is encrypted with an older key than the first; how many documents that were. What no key
        fits stays as it is, since the key may turn up.

        The documents stay as they are but for that, and their generation too: nobody has to compile them again.
        """
        found = await self.ledger.documents()
        stale = [each for each in found.records if each.sealed is not None and not self.cipher.fresh(each.sealed)]
        known = [(each, text) for each in stale if (text := self._unsealed(each)) is not None]
        for each, text in known:
            await self.ledger.reseal_document(each.kind, each.name, each.revision, self.cipher.seal(text))
        return len(known)

    def _opened(self, record: DocumentRecord) -> OverlayDocument:
        body, fault = record.body, ""
        if record.sealed is not None:
            body = copy.deepcopy(body)
            text = self._unsealed(record)
            fault = LOST if text is None else ""
            for path, secret in _secrets(text) if text is not None else ():
                _put(body, path, secret)
        return OverlayDocument(
            kind=record.kind, name=record.name, body=body, revision=record.revision, by=record.updated_by,
            at=record.updated_at, created_by=record.created_by, created_at=record.created_at, fault=fault,
        )  # fmt: skip

    def _unsealed(self, record: DocumentRecord) -> str | None:
        try:
            return self.cipher.open(record.sealed or "")
        except StoreError:
            return None

    def _change(self, document: OverlayDocument, sealed: Collection[Key]) -> DocumentChange:
        size = len(document.key)
        paths = sorted((key[size:] for key in sealed if key[:size] == document.key), key=repr)
        body = copy.deepcopy(document.body)
        secrets = [(path, _take(body, path)) for path in paths]
        text = self.cipher.seal(msgspec.json.encode(secrets).decode()) if secrets else None
        return DocumentChange(
            kind=document.kind, name=document.name, body=body, sealed=text, at=document.at, by=document.by
        )


def custody_of(overlays: Overlays | None) -> Custody | None:
    """Where servers keep what people grant; None without a ledger."""
    return overlays.custody if overlays is not None else None


def shown(document: OverlayDocument, sealed: Iterable[Key]) -> dict[str, Any]:
    """The document's body with nothing but null where it has secrets."""
    body = copy.deepcopy(document.body)
    size = len(document.key)
    for key in sealed:
        if key[:size] == document.key:
            _take(body, key[size:])
    return body


def _take(body: Any, path: Iterable[str | int]) -> Any:
    """What stands at the path, which is null from now on."""
    *above, last = path
    for part in above:
        body = body[part]
    found, body[last] = body[last], None
    return found


def _put(body: Any, path: Iterable[str | int], value: str) -> None:
    *above, last = path
    for part in above:
        body = body[part]
    body[last] = value
