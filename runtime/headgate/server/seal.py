"""Nonces of questions and signatures of links: derived from the gateway's secret, so that none is kept and every
process knows them."""

from __future__ import annotations

import hmac
from collections.abc import Callable


class Seal:
    """`secret` gives the session secret of the live revision."""

    def __init__(self, secret: Callable[[], str]) -> None:
        self._secret = secret

    def nonce(self, wait_id: str) -> str:
        """16 hexadecimal digits that only who was told the question knows."""
        return hmac.digest(self._secret().encode(), f"nonce:{wait_id}".encode(), "sha256").hex()[:16]

    def signature(self, purpose: str, data: bytes) -> bytes:
        """The HMAC-SHA256 of data for one purpose, under a key that is derived for it and serves no other."""
        key = hmac.digest(self._secret().encode(), f"key:{purpose}".encode(), "sha256")
        return hmac.digest(key, data, "sha256")

    def fits(self, wait_id: str, nonce: str) -> bool:
        """Whether this is the nonce; compared in constant time."""
        return hmac.compare_digest(self.nonce(wait_id).encode(), nonce.encode("utf-8", "replace"))
