"""How a provider's refusals and silences become `ProviderError`s: stable codes, and whether a retry can help."""

from __future__ import annotations

import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

import msgspec

from headgate.core.errors import ProviderError

AVAILABILITY = frozenset(
    {
        "provider_rate_limited",
        "provider_overloaded",
        "provider_unavailable",
        "provider_timeout",
        "provider_stalled",
        "provider_connection",
        "provider_cut_off",
        "provider_error",
    }
)
"""Codes that say nothing against the request: another provider may well answer it."""

UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What decoding may raise: the bytes are not JSON, not UTF-8, or nested without end, as a model in a loop writes."""

_CODES = {
    400: "provider_invalid_request",
    401: "provider_auth",
    402: "provider_auth",
    403: "provider_auth",
    404: "provider_not_found",
    408: "provider_timeout",
    409: "provider_unavailable",
    413: "provider_invalid_request",
    422: "provider_invalid_request",
    429: "provider_rate_limited",
    504: "provider_timeout",
    529: "provider_overloaded",
}
_LONGEST = 500


def from_status(status: int, detail: str = "", *, retry_after: float | None = None) -> ProviderError:
    """The error that an HTTP status stands for; `detail` is the provider's own sentence, already scrubbed."""
    code = _CODES.get(status) or ("provider_unavailable" if status >= 500 else "provider_error")
    message = f"the provider answered with status {status}"
    return ProviderError(
        f"{message}: {_line(detail)}" if detail else message,
        code=code,
        retryable=status in (408, 409, 429) or status >= 500,
        status=status,
        retry_after=retry_after,
    )


def unavailable(code: str, message: str) -> ProviderError:
    """An error of the way to the provider: always worth a retry."""
    return ProviderError(message, code=code, retryable=True)


def retry_after(headers: Mapping[str, str], now: float | None = None) -> float | None:
    """Seconds to wait, from `retry-after-ms` or `retry-after` (seconds or a date, RFC 9110 §10.2.3).

    `now` is epoch seconds; None when there is no such header or it cannot be read.
    """
    milliseconds = _number(headers.get("retry-after-ms", ""))
    if milliseconds is not None:
        return milliseconds / 1000
    value = headers.get("retry-after", "")
    wait = _number(value)
    return wait if wait is not None else _until(value, time.time() if now is None else now)


def _number(value: str) -> float | None:
    try:
        number = float(value)
    except ValueError:
        return None
    return number if 0 <= number < float("inf") else None


def _until(value: str, now: float) -> float | None:
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - now)
    except (ValueError, OverflowError):
        return None


def _line(detail: str) -> str:
    """One printable line of bounded length."""
    text = " ".join("".join(each if each.isprintable() else " " for each in detail).split())
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
