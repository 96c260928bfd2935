"""Keeping resolved secrets out of everything that is shown, and telling whether they changed."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Iterable
from urllib.parse import quote

SHORTEST = 6
"""Values of fewer characters are not redacted: they occur in innocent text too often."""

REDACTED = "[redacted]"


class Redactor:
    """Replaces secrets in texts; made once for each set of secrets."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        forms = {form for secret in secrets if len(secret) >= SHORTEST for form in _forms(secret)}
        longest = sorted(forms, key=lambda form: (-len(form), form))
        self._pattern = re.compile("|".join(map(re.escape, longest))) if longest else None

    def scrub(self, text: str) -> str:
        """The text with every secret replaced by `[redacted]`, as written, as JSON and as percent-encoded."""
        return self._pattern.sub(REDACTED, text) if self._pattern is not None else text


def _forms(secret: str) -> set[str]:
    escaped = {json.dumps(secret, ensure_ascii=ascii_only)[1:-1] for ascii_only in (True, False)}
    return {secret, quote(secret), quote(secret, safe=""), *escaped}


def digest(secrets: Iterable[tuple[str, str]], key: bytes) -> str:
    """HMAC-SHA256, in hexadecimal, over the sorted (reference, value) pairs of `Resolved.sources`."""
    mac = hmac.new(key, digestmod=hashlib.sha256)
    for part in (part for pair in sorted(set(secrets)) for part in pair):
        data = part.encode("utf-8", "surrogateescape")
        mac.update(len(data).to_bytes(8, "big") + data)  # the length first, so that no two sets run together
    return mac.hexdigest()
