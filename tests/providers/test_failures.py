"""What statuses and headers of refusals mean."""

from __future__ import annotations

import pytest

from headgate.providers.failures import from_status, retry_after


@pytest.mark.parametrize(
    ("status", "code", "retryable"),
    [
        (400, "provider_invalid_request", False),
        (401, "provider_auth", False),
        (403, "provider_auth", False),
        (404, "provider_not_found", False),
        (408, "provider_timeout", True),
        (409, "provider_unavailable", True),
        (413, "provider_invalid_request", False),
        (418, "provider_error", False),
        (429, "provider_rate_limited", True),
        (500, "provider_unavailable", True),
        (503, "provider_unavailable", True),
        (529, "provider_overloaded", True),
    ],
)
def test_statuses(status: int, code: str, retryable: bool) -> None:
    """Every status has a stable code, and says whether a retry can help."""
    error = from_status(status, retry_after=2.0)
    assert (error.code, error.retryable, error.status, error.retry_after) == (code, retryable, status, 2.0)


def test_message_is_one_line() -> None:
    """The provider's own sentence is shown on one line, without control characters, and cut."""
    message = from_status(400, "bad\n\x1b[31m  thing" + "x" * 1000).message
    assert message.startswith("the provider answered with status 400: bad [31m thingxxx")
    assert len(message) < 600


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after-ms": "250", "retry-after": "9"}, 0.25),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after": "Thu, 01 Jan 1970 00:01:10 GMT"}, 10.0),
        ({"retry-after": "Thu, 01 Jan 1970 00:00:10 GMT"}, 0.0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-3"}, None),
        ({"retry-after": "inf"}, None),
        ({}, None),
    ],
)
def test_retry_after(headers: dict[str, str], seconds: float | None) -> None:
    """Milliseconds win over seconds, a date counts from now, and nonsense counts as absent."""
    assert retry_after(headers, now=60.0) == seconds
