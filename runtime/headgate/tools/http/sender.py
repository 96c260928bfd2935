"""Sends drafts: signs them, repeats what may be repeated, and puts every failure into words."""

from __future__ import annotations

import asyncio
import email.utils
import random
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass

import httpx2

from headgate.core.errors import EgressRefused, ToolError
from headgate.net.client import exchange, read, read_start
from headgate.tools.http.auth import Credentials
from headgate.tools.http.draft import Draft
from headgate.tools.http.spec import Retry

RETRIED = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Statuses that may pass by themselves."""
_MAX_DELAY = 30.0
_ERROR_BODY = 4096


@dataclass(frozen=True, slots=True)
class Answer:
    """One response, read; of an error status only the start of the body. `next_link` is its rel=next (RFC 8288)."""

    status: int
    reason: str
    url: httpx2.URL
    headers: httpx2.Headers
    body: bytes
    next_link: str | None = None

    @property
    def failed(self) -> bool:
        """Whether the status is an error, or a redirect that was not followed."""
        return self.status >= 300


@dataclass(frozen=True, slots=True)
class Sender:
    """Sends the drafts of one tool; `retry` is None when its requests may not be repeated."""

    client: httpx2.AsyncClient
    credentials: Credentials
    redirects: int = 0
    retry: Retry | None = None
    jitter: Callable[[], float] = random.random

    async def send(self, draft: Draft, limit: int, deadline: float) -> Answer:
        """The answer, of at most `limit` bytes; raises `ToolError`.

        No attempt begins after `deadline` (on the event loop's clock): a server that asks to wait longer is not asked
        again.
        """
        attempt, renewed = 0, False
        while True:
            answer, failure = await self._try(draft, limit, deadline)
            if answer is not None and answer.status == 401 and not renewed and self.credentials.reject():
                renewed = True
                continue
            delay = self._delay(attempt, answer)
            if delay is None or asyncio.get_running_loop().time() + delay >= deadline:
                return _settle(answer, failure)
            await asyncio.sleep(delay)
            attempt += 1

    async def _try(self, draft: Draft, limit: int, deadline: float) -> tuple[Answer | None, ToolError | None]:
        try:
            return await self._once(await self.credentials.sign(draft), limit, deadline), None
        except EgressRefused as error:
            raise ToolError("egress_refused", error.message) from error
        except httpx2.TimeoutException as error:
            raise ToolError("tool_timeout", f"{draft.url.host} did not answer in time", retryable=True) from error
        except httpx2.TransportError as error:
            reason = f"{draft.url.host} could not be reached: {_explain(error)}"
            return None, ToolError("connection_error", reason, retryable=True)
        except httpx2.DecodingError as error:
            raise ToolError("invalid_result", "the answer could not be decompressed") from error

    async def _once(self, draft: Draft, limit: int, deadline: float) -> Answer:
        remaining = max(0.001, deadline - asyncio.get_running_loop().time())
        request = self.client.build_request(
            draft.method, draft.url, headers=_fields(draft), content=draft.content, timeout=remaining
        )
        async with exchange(self.client, request, redirects=self.redirects) as response:
            ok = response.status_code < 300
            body = await read(response, limit) if ok else await read_start(response, _ERROR_BODY)
        return Answer(
            response.status_code,
            response.reason_phrase,
            response.url,
            response.headers,
            body,
            _next_link(response),
        )

    def _delay(self, attempt: int, answer: Answer | None) -> float | None:
        """Seconds until the next attempt: exponential with full jitter, or what the server says; None for none."""
        if self.retry is None or attempt >= self.retry.max:
            return None
        if answer is None:
            return self._backoff(self.retry, attempt)
        if answer.status not in RETRIED:
            return None
        told = _retry_after(answer.headers.get("retry-after", ""))
        return self._backoff(self.retry, attempt) if told is None else told

    def _backoff(self, retry: Retry, attempt: int) -> float:
        return min(_MAX_DELAY, retry.backoff * 2.0**attempt) * self.jitter()


def _settle(answer: Answer | None, failure: ToolError | None) -> Answer:
    if answer is not None:
        return answer
    raise failure or ToolError("connection_error", "there was no answer")


def _fields(draft: Draft) -> list[tuple[bytes, bytes]]:
    return [(name.encode(), value) for name, value in draft.headers.items()]


def _next_link(response: httpx2.Response) -> str | None:
    for link in response.links.values():
        if "next" in link.get("rel", "").lower().split():
            return link.get("url")
    return None


def _retry_after(header: str) -> float | None:
    """Seconds to wait, from seconds or an HTTP date (RFC 9110 §10.2.3)."""
    if header.isascii() and header.isdigit():
        return float(header)
    try:
        at = email.utils.parsedate_to_datetime(header)
    except ValueError:
        return None
    return max(0.0, at.timestamp() - time.time())


def _explain(error: httpx2.TransportError) -> str:
    """Why, in our words: the system's own text may hold addresses of the inner network."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return "its TLS certificate is not valid"
        cause = cause.__cause__ or cause.__context__
    if isinstance(error, httpx2.ConnectError):
        unknown = "resolved" in str(error)
        return "its name could not be resolved" if unknown else "no connection could be made"
    return "the connection broke off" if isinstance(error, httpx2.NetworkError) else "its answer was not valid HTTP"
