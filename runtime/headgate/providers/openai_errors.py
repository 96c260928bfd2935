"""How the errors of OpenAI's APIs, and of servers that speak them, become `ProviderError`s.

Sources: https://developers.openai.com/api/docs/guides/error-codes, the error codes of the Responses API, and what
OpenRouter, Ollama, vLLM and Google's compatible API send inside a stream.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import msgspec

from headgate.core.errors import ProviderError
from headgate.providers.failures import from_status, retry_after
from headgate.providers.remote import Refusal

_STATUSES = {
    "server_error": 500,
    "internal_error": 500,
    "internal_server_error": 500,
    "api_error": 500,
    "bad_gateway": 502,
    "service_unavailable": 503,
    "timeout": 504,
    "request_timeout": 504,
    "vector_store_timeout": 504,
    "overloaded": 529,
    "overloaded_error": 529,
    "engine_overloaded": 529,
    "server_is_overloaded": 529,
    "slow_down": 529,
    "insufficient_quota": 429,
    "rate_limit_exceeded": 429,
    "rate_limit_error": 429,
    "too_many_requests": 429,
    "requests": 429,
    "tokens": 429,
    "invalid_api_key": 401,
    "authentication_error": 401,
    "permission_error": 403,
    "permission_denied": 403,
    "not_found_error": 404,
    "model_not_found": 404,
    "invalid_request_error": 400,
    "invalid_prompt": 400,
    "context_length_exceeded": 400,
    "bio_policy": 400,
    "cyber_policy": 400,
    "misalignment_policy_violation": 400,
    "data_residency_mismatch": 400,
    "content_filter": 400,
}
_SPENT = "insufficient_quota"
_WAIT = re.compile(r"try again in (\d+(?:\.\d+)?) ?(ms|s)\b", re.IGNORECASE)


class Failure(msgspec.Struct, frozen=True):
    """An error object inside a stream; `code` may be a word or an HTTP status."""

    code: str | int | float | None = None
    type: str | None = None
    message: str | None = None


def refused(refusal: Refusal, scrub: Callable[[str], str]) -> ProviderError:
    """The error of a request that was answered with an error status."""
    detail, wait = sentence(refusal.body), retry_after(refusal.headers)
    found = from_status(refusal.status, scrub(detail), retry_after=_said(detail) if wait is None else wait)
    return _settle(found, _code(refusal.body))


def _code(body: Any) -> str | None:
    error = body.get("error", body) if isinstance(body, dict) else None
    code = error.get("code") if isinstance(error, dict) else None
    return code if isinstance(code, str) else None


def failure(reported: Failure | str | None, scrub: Callable[[str], str]) -> ProviderError:
    """The error that a stream reports; one that nobody knows is the server's, and worth a retry."""
    if not isinstance(reported, Failure):
        reported = Failure(message=reported)
    detail = reported.message or ""
    found = from_status(_status(reported), scrub(detail), retry_after=_said(detail))
    return _settle(found, str(reported.code))


def _settle(error: ProviderError, code: str | None) -> ProviderError:
    # A spent quota has the status of a rate limit, but waiting does not bring it back; another provider may do.
    error.retryable = error.retryable and code != _SPENT
    return error


def _status(reported: Failure) -> int:
    for word in (reported.code, reported.type):
        text = str(word).lower()
        if text.removesuffix(".0").isdigit() and 400 <= float(text) < 600:
            return int(float(text))
        if text in _STATUSES:
            return _STATUSES[text]
        if "image" in text or text.startswith("invalid_"):
            return 400
    return 500


def _said(detail: str) -> float | None:
    """Seconds to wait, where only the sentence says so."""
    found = _WAIT.search(detail)
    return None if found is None else float(found[1]) * (0.001 if found[2].lower() == "ms" else 1.0)


def sentence(body: Any) -> str:
    """The sentence in an error's body, wherever the server put it; empty when there is none to show."""
    if isinstance(body, list):
        body = body[0] if body else None
    if isinstance(body, dict):
        return next(filter(None, (sentence(body.get(key)) for key in ("message", "error", "detail"))), "")
    # An answer that is not JSON may be a page of a proxy.
    return body if isinstance(body, str) and "<" not in body else ""
