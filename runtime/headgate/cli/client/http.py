"""A server over HTTP: what goes wrong on the way, and what it says when it refuses."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import aclosing
from typing import Any
from urllib.parse import urlsplit

import httpx2
import msgspec

from headgate import __version__
from headgate.compile.checks.gateway import is_loopback
from headgate.core import errors
from headgate.core.errors import GatewayError, RequestError

_TIMEOUT = httpx2.Timeout(15.0, read=60.0)
"""Seconds. A server that streams says something every 15 s, so a silent minute is a lost connection."""
_REFUSALS: Mapping[int, Callable[[str], RequestError]] = {
    400: errors.RequestError, 401: errors.Unauthenticated, 403: errors.Forbidden, 404: errors.NotFound,
    409: errors.Conflict, 410: errors.Gone, 422: errors.Invalid, 429: errors.Overloaded, 503: errors.Unavailable,
}  # fmt: skip
"""By status; what is gone (410) is a question whose time is over."""


@contextlib.asynccontextmanager
async def open_http(url: str) -> AsyncIterator[Http]:
    """Opens connections to the server as they are needed."""
    # No proxy stands between a machine and itself.
    proxied = not is_loopback(urlsplit(url).hostname or "")
    headers = {"user-agent": f"headgate/{__version__}"}
    async with httpx2.AsyncClient(base_url=url, timeout=_TIMEOUT, trust_env=proxied, headers=headers) as client:
        yield Http(client, url)


class Http:
    """Sends requests, each with the credential that is given with it."""

    def __init__(self, client: httpx2.AsyncClient, url: str) -> None:
        self._client = client
        self._url = url

    async def send(self, method: str, path: str, bearer: str = "", **members: Any) -> httpx2.Response:
        """The answer, whose body is not read yet; raises `GatewayError` when there is none."""
        headers = members.pop("headers", {}) | ({"authorization": f"Bearer {bearer}"} if bearer else {})
        request = self._client.build_request(method, path, headers=headers, **members)
        try:
            return await self._client.send(request, stream=True)
        except httpx2.HTTPError as error:
            raise GatewayError(f"{self._url}: {reason(error)}", code="connection_error") from None

    async def json(self, method: str, path: str, bearer: str = "", **members: Any) -> Any:
        """The JSON of an answer with a status of success; raises `GatewayError` for any other."""
        answer = await self.send(method, path, bearer, **members)
        if not answer.is_success:
            raise await refusal(answer)
        return await body(answer)


async def body(answer: httpx2.Response) -> Any:
    """The JSON of an answer, read and closed; None when it is no JSON."""
    try:
        async with aclosing(answer):
            return msgspec.json.decode(await answer.aread())
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    except httpx2.HTTPError as error:
        raise GatewayError(reason(error), code="connection_error") from None


async def refusal(answer: httpx2.Response) -> GatewayError:
    """Why the server did not do what it was asked: `detail` of its dialects, or `error` of the older one."""
    told = await body(answer)
    said = told.get("detail", told.get("error")) if isinstance(told, dict) else None
    if answer.is_success or said is None:
        message = f"HTTP {answer.status_code}, but not the answer of a gateway; look at the URL"
        return GatewayError(message, code="protocol_error")
    return _REFUSALS.get(answer.status_code, errors.RequestError)(_detail(said))


def _detail(detail: Any) -> str:
    if isinstance(detail, list):
        return "; ".join(str(each.get("msg", each)) if isinstance(each, dict) else str(each) for each in detail)
    return str(detail)


def reason(error: Exception) -> str:
    """What is wrong, in words."""
    return str(error) or type(error).__name__
