"""What is encrypted at rest: secrets of overlay documents, each document's in one text."""

from __future__ import annotations

import base64
from collections.abc import Sequence

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from headgate.core.errors import StoreError


class Cipher:
    """Encrypts with the first key, and decrypts with any (Fernet: AES-128-CBC and HMAC-SHA256).

    A key is any random text of at least 32 characters; Fernet's own keys are derived from it (HKDF, RFC 5869).
    """

    def __init__(self, keys: Sequence[str]) -> None:
        """Takes at least one key."""
        held = [Fernet(_derived(key)) for key in keys]
        self._first = held[0]
        self._all = MultiFernet(held)

    def seal(self, text: str) -> str:
        """The text, encrypted."""
        return self._all.encrypt(text.encode("utf-8", "surrogatepass")).decode("ascii")

    def open(self, sealed: str) -> str:
        """The text that was sealed; raises `StoreError` with the code `store_sealed` when no key fits."""
        try:
            return self._all.decrypt(sealed).decode("utf-8", "surrogatepass")
        except InvalidToken:
            raise StoreError("none of the encryption keys fits", code="store_sealed") from None

    def fresh(self, sealed: str) -> bool:
        """Whether the text is sealed with the first key."""
        try:
            self._first.decrypt(sealed)
        except InvalidToken:
            return False
        return True


def _derived(key: str) -> bytes:
    kdf = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"headgate overlay documents")
    return base64.urlsafe_b64encode(kdf.derive(key.encode("utf-8", "surrogatepass")))
