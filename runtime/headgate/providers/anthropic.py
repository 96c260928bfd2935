"""The provider kind `anthropic`: Claude models over Anthropic's Messages API, or a server that speaks it."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any, Literal, cast

import httpx2
from anthropic import (
    APIConnectionError,
    APIStatusError,
    AsyncAnthropic,
    AsyncStream,
    DefaultAioHttpClient,
)
from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from headgate.core.errors import ProviderError
from headgate.core.kind import Env, Kind
from headgate.core.ports import ModelRequest, Provider
from headgate.core.scalars import Secret
from headgate.providers.anthropic_turn import Turn
from headgate.providers.anthropic_wire import encode_request
from headgate.providers.failures import from_status, retry_after
from headgate.providers.remote import HEADERS, Errors, Remote, RemoteSpec, transport

BASE_URL = "https://api.anthropic.com"
DEFAULT_MODEL = "claude-sonnet-5-5"


class AnthropicSpec(RemoteSpec):
    """Claude models over Anthropic's Messages API; exactly one of `api_key` and `auth_token` is needed."""

    kind: Literal["anthropic"] = "anthropic"
    api_key: Secret | None = Field(default=None, min_length=1)
    """The API key."""
    auth_token: Secret | None = Field(default=None, min_length=1)
    """A bearer token, in place of an API key."""
    base_url: str = Field(default=BASE_URL, pattern=r"^https?://[^\s/]+")
    """Where the API is; no path of its own unless a proxy has one."""

    @model_validator(mode="after")
    def _one_credential(self) -> AnthropicSpec:
        if (self.api_key is None) == (self.auth_token is None):
            raise PydanticCustomError("credential", "exactly one of api_key and auth_token is needed")
        return self

    @model_validator(mode="after")
    def _room_to_answer(self) -> AnthropicSpec:
        limit = self.max_output_tokens
        if limit is not None and isinstance(self.thinking, int) and self.thinking >= limit:
            raise PydanticCustomError("thinking_budget", "the thinking budget must be below max_output_tokens")
        return self


class Anthropic(Remote):
    """An opened provider of kind `anthropic`; `name` is its name in the manifest."""

    def __init__(self, spec: AnthropicSpec, name: str, client: AsyncAnthropic, scrub: Callable[[str], str]) -> None:
        errors = Errors(APIStatusError, APIConnectionError, self._refusal)
        super().__init__(spec, spec.model or DEFAULT_MODEL, errors)
        self._name = name
        self._client = client
        self._scrub = scrub

    def _prepare(self, request: ModelRequest) -> tuple[bytes, Turn]:
        spec = self._spec
        body = encode_request(request, provider=self._name, max_tokens=spec.max_output_tokens, thinking=spec.thinking)
        return body, Turn(self._name, request.model, overrides=spec.prices, scrub=self._scrub)

    async def _post(self, body: bytes) -> httpx2.Response:
        return cast(
            httpx2.Response,
            await self._client.post(
                "/v1/messages",
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


def _client(spec: AnthropicSpec) -> AsyncAnthropic:
    """An SDK client that takes nothing from the environment but proxies and certificate authorities."""
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
    return client


@contextlib.asynccontextmanager
async def open_anthropic(spec: AnthropicSpec, env: Env) -> AsyncIterator[Anthropic]:
    """Opens the provider: one client with its connection pool, closed at the end."""
    async with _client(spec) as client:
        yield Anthropic(spec, env.name, client, env.scrub)


KIND: Kind[AnthropicSpec, Provider] = Kind(
    name="anthropic",
    summary="Claude models over Anthropic's Messages API.",
    spec=AnthropicSpec,
    open=open_anthropic,
)
