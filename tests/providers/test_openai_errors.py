"""What the errors of OpenAI's APIs mean."""

from __future__ import annotations

from typing import Any

import pytest

from headgate.providers.openai_errors import Failure, failure, sentence


@pytest.mark.parametrize(
    ("reported", "code", "status", "retryable"),
    [
        (Failure("server_error", message="x"), "provider_unavailable", 500, True),
        (Failure("rate_limit_exceeded"), "provider_rate_limited", 429, True),
        (Failure("insufficient_quota"), "provider_rate_limited", 429, False),
        (Failure("server_is_overloaded"), "provider_overloaded", 529, True),
        (Failure("slow_down"), "provider_overloaded", 529, True),
        (Failure("invalid_prompt"), "provider_invalid_request", 400, False),
        (Failure("context_length_exceeded"), "provider_invalid_request", 400, False),
        (Failure("image_too_large"), "provider_invalid_request", 400, False),
        (Failure("invalid_base64_image"), "provider_invalid_request", 400, False),
        (Failure("vector_store_timeout"), "provider_timeout", 504, True),
        (Failure(502), "provider_unavailable", 502, True),
        (Failure(429.0), "provider_rate_limited", 429, True),
        (Failure("503"), "provider_unavailable", 503, True),
        (Failure(None, "overloaded_error"), "provider_overloaded", 529, True),
        (Failure("", "invalid_request_error"), "provider_invalid_request", 400, False),
        (Failure("brand_new"), "provider_unavailable", 500, True),
        (Failure(), "provider_unavailable", 500, True),
        ("out of memory", "provider_unavailable", 500, True),
        (None, "provider_unavailable", 500, True),
    ],
)
def test_stream_failures(reported: Failure | str | None, code: str, status: int, retryable: bool) -> None:
    """A code, a type or a number in the stream stands for a status; what nobody knows is the server's fault."""
    error = failure(reported, str)
    assert (error.code, error.status, error.retryable) == (code, status, retryable)


@pytest.mark.parametrize(
    ("message", "seconds"),
    [("Please try again in 1.5s.", 1.5), ("Try again in 20 ms", 0.02), ("Please try again later", None)],
)
def test_wait_in_words(message: str, seconds: float | None) -> None:
    """A wait that only the sentence gives is honoured."""
    assert failure(Failure("rate_limit_exceeded", message=message), str).retry_after == seconds


def test_scrubbed() -> None:
    """The sentence is shown without secrets."""
    error = failure(Failure("server_error", message="key sk-1"), lambda text: text.replace("sk-1", "[redacted]"))
    assert error.message == "the provider answered with status 500: key [redacted]"


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        ({"message": "a"}, "a"),
        ({"error": {"message": "a"}}, "a"),
        ({"error": "a"}, "a"),
        ({"detail": "a"}, "a"),
        ({"detail": [{"message": "a"}]}, "a"),
        ([{"error": {"message": "a"}}], "a"),
        ("no healthy upstream", "no healthy upstream"),
        ("<html>502</html>", ""),
        ({"message": None}, ""),
        ([], ""),
        (None, ""),
        (7, ""),
    ],
)
def test_sentence(body: Any, shown: str) -> None:
    """The sentence is found wherever a server puts it; a page is not shown."""
    assert sentence(body) == shown
