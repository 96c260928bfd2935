"""The Anthropic SDK: credentials, headers and transport of the provider kind `anthropic`."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, Any, cast

import httpx2
from anthropic import (
    APIConnectionError,
    APIStatusError,
    AsyncAnthropic,
    AsyncStream,
    DefaultAioHttpClient,
)

from headgate.core.errors import ProviderError
from headgate.providers.failures import from_status, retry_after
from headgate.providers.remote import HEADERS, Errors
from headgate.providers.transport import LOST, transport

if TYPE_CHECKING:
    from headgate.providers.anthropic import AnthropicSpec


class AnthropicLine:
    """One SDK client with its connection pool."""

    def __init__(self, client: AsyncAnthropic, scrub: Callable[[str], str]) -> None:
        self._client = client
        self._scrub = scrub
        self.errors = Errors(APIStatusError, (APIConnectionError, *LOST), self._refusal)

    async def post(self, path: str, body: bytes, /) -> httpx2.Response:
        """Sends a request that is answered with a stream, and gives the raw answer."""
        return cast(
            httpx2.Response,
            await self._client.post(
                path,
                cast_to=httpx2.Response,
                content=body,
                options={"headers": HEADERS},
                stream=True,
                stream_cls=AsyncStream[Any],
            ),
        )

    def _refusal(self, error: APIStatusError) -> ProviderError:
        wait = retry_after(error.response.headers)
        return from_status(error.status_code, self._scrub(error.api_message or ""), retry_after=wait)


@contextlib.asynccontextmanager
async def connect(spec: AnthropicSpec, scrub: Callable[[str], str]) -> AsyncIterator[AnthropicLine]:
    """A client that takes nothing from the environment but proxies and certificate authorities; closed at the end."""
    client = AsyncAnthropic(
        api_key=spec.api_key,
        auth_token=spec.auth_token,
        base_url=spec.base_url,
        max_retries=0,
        open_telemetry=False,
        http_client=DefaultAioHttpClient(**transport()),
        timeout=httpx2.Timeout(None),
    )
    # The constructor adds ANTHROPIC_CUSTOM_HEADERS to whatever headers it is given, and has no switch against that.
    client._custom_headers = dict(spec.extra_headers)
    async with client:
        yield AnthropicLine(client, scrub)
