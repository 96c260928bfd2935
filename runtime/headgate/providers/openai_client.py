"""The SDK client that the provider kinds on OpenAI's wires share."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
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
from headgate.providers.remote import HEADERS, Errors
from headgate.providers.transport import LOST, transport


class OpenAiLine:
    """One SDK client with its connection pool."""

    def __init__(self, client: AsyncOpenAI, scrub: Callable[[str], str]) -> None:
        self._client = client
        self.errors = Errors(APIStatusError, (APIConnectionError, *LOST), lambda error: refusal(error, scrub))

    async def post(self, path: str, body: bytes, /) -> httpx2.Response:
        """Sends a request that is answered with a stream, and gives the raw answer."""
        return cast(
            httpx2.Response,
            await self._client.post(
                path,
                cast_to=httpx2.Response,
                content=body,
                options={"headers": {**HEADERS, **self._credential()}},
                stream=True,
                stream_cls=AsyncStream[Any],
            ),
        )

    def _credential(self) -> dict[str, Any]:
        """What tells the SDK that a missing credential is meant; nothing when the key or a header is one."""
        named = any(name.lower() == "authorization" for name in self._client._custom_headers)
        return {} if self._client.api_key or named else {"Authorization": Omit()}


@contextlib.asynccontextmanager
async def connect(
    api_key: str | None, base_url: str, headers: Mapping[str, str], scrub: Callable[[str], str]
) -> AsyncIterator[OpenAiLine]:
    """A client that takes nothing from the environment but proxies and certificate authorities; closed at the end.

    Without a key no `Authorization` is sent.
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
    async with client:
        yield OpenAiLine(client, scrub)
