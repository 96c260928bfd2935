"""The SDK client that the provider kinds on OpenAI's wires share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

import httpx2
from openai import (
    APIConnectionError,
    APIStatusError,
    AsyncOpenAI,
    AsyncStream,
    DefaultAioHttpClient,
    Omit,
)

from headgate.providers.openai_errors import refusal
from headgate.providers.remote import HEADERS, Errors, transport


def open_client(api_key: str | None, base_url: str, headers: Mapping[str, str]) -> AsyncOpenAI:
    """A client that takes nothing from the environment but proxies and certificate authorities.

    Without a key no `Authorization` is sent. Use it as a context manager: leaving closes its connections.
    """
    client = AsyncOpenAI(
        # Every argument that is None would be looked up in the environment.
        api_key=api_key or "",
        admin_api_key="",
        organization="",
        project="",
        webhook_secret="",
        base_url=base_url,
        max_retries=0,
        http_client=DefaultAioHttpClient(**transport()),
        timeout=httpx2.Timeout(None),
        _enforce_credentials=False,
    )
    client.organization = client.project = None
    # The constructor adds OPENAI_CUSTOM_HEADERS to whatever headers it is given, and has no switch against that.
    client._custom_headers = dict(headers)
    client._ambient_authorizations = frozenset()
    return client


def _credential(client: AsyncOpenAI) -> dict[str, Any]:
    """What tells the SDK that a missing credential is meant; nothing when the key or a header is one."""
    named = any(name.lower() == "authorization" for name in client._custom_headers)
    return {} if client.api_key or named else {"Authorization": Omit()}


async def post(client: AsyncOpenAI, path: str, body: bytes) -> httpx2.Response:
    """Sends a request that is answered with a stream, and gives the raw answer."""
    return cast(
        httpx2.Response,
        await client.post(
            path,
            cast_to=httpx2.Response,
            content=body,
            options={"headers": {**HEADERS, **_credential(client)}},
            stream=True,
            stream_cls=AsyncStream[Any],
        ),
    )


def errors(scrub: Callable[[str], str]) -> Errors:
    """The SDK's exceptions, with messages that `scrub` has cleaned."""
    return Errors(APIStatusError, APIConnectionError, lambda error: refusal(error, scrub))
