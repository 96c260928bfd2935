"""The provider kind `anthropic`: Claude models over Anthropic's Messages API, or a server that speaks it.

The SDK does authentication, transport and the request; its aiohttp transport carries thousands of streams. Request
bodies and stream events are encoded and decoded here, because the SDK's typed events cost more than all the rest.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from typing import Annotated, Any, Literal, cast

import aiohttp
import httpx2
from anthropic import (
    APIConnectionError,
    APIStatusError,
    APITimeoutError,
    AsyncAnthropic,
    AsyncStream,
    DefaultAioHttpClient,
)
from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from headgate.core.errors import ProviderError
from headgate.core.kind import Env, Kind
from headgate.core.ports import ModelEvent, ModelRequest, Provider
from headgate.core.scalars import Duration, Secret
from headgate.providers.anthropic_turn import Turn
from headgate.providers.anthropic_wire import encode_request
from headgate.providers.failures import from_status, retry_after, unavailable
from headgate.providers.prices import Price
from headgate.providers.settings import ProviderSpec, Thinking
from headgate.providers.sse import Events

BASE_URL = "https://api.anthropic.com"
DEFAULT_MODEL = "claude-sonnet-5-5"

_CONNECTIONS = 10_000
_KEEPALIVE = 60.0
_DRAIN = 0.5
_LOST = (httpx2.HTTPError, aiohttp.ClientError, OSError)
"""What a broken connection may raise through the layers of the transport; `TimeoutError` is an `OSError` too."""
_HEADERS = {"Accept": "text/event-stream", "Accept-Encoding": "identity"}

HeaderName = Annotated[str, Field(pattern=r"^[A-Za-z0-9!#$%&'*+.^_`|~-]+$")]
HeaderValue = Annotated[str, Field(pattern=r"^[^\x00-\x08\x0a-\x1f\x7f]*$")]


class AnthropicSpec(ProviderSpec):
    """Claude models over Anthropic's Messages API; exactly one of `api_key` and `auth_token` is needed."""

    kind: Literal["anthropic"] = "anthropic"
    api_key: Secret | None = Field(default=None, min_length=1)
    """The API key."""
    auth_token: Secret | None = Field(default=None, min_length=1)
    """A bearer token, in place of an API key."""
    base_url: str = Field(default=BASE_URL, pattern=r"^https?://[^\s/]+")
    """Where the API is; no path of its own unless a proxy has one."""
    max_output_tokens: int | None = Field(default=None, ge=1)
    """The most tokens of one turn, thinking included; agents may say otherwise."""
    thinking: Thinking | None = None
    """`off`, `adaptive`, an effort (`low`, `medium`, `high`) or a budget in tokens; unset: as the model is used to."""
    timeout: Duration = Field(default=120.0, gt=0)
    """How long connecting and waiting for the answer's beginning may take."""
    stall_timeout: Duration = Field(default=60.0, gt=0)
    """How long the stream may be silent; the API sends pings more often than this."""
    prices: dict[str, Price] = {}
    """Prices by model id, in USD per million tokens, where they differ from the built-in table."""
    extra_headers: dict[HeaderName, HeaderValue] = {}
    """Headers sent with every request."""

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


class Anthropic:
    """An opened provider of kind `anthropic`; `name` is its name in the manifest."""

    demo = False

    def __init__(self, spec: AnthropicSpec, name: str, client: AsyncAnthropic, scrub: Callable[[str], str]) -> None:
        self._spec = spec
        self._name = name
        self._client = client
        self._scrub = scrub
        self.default_model = spec.model or DEFAULT_MODEL

    async def stream(self, request: ModelRequest, /) -> AsyncIterator[ModelEvent]:
        """Yields the turn as it arrives. One request, no retry; closing the iterator closes the connection."""
        spec = self._spec
        spec.require(request.model, self.default_model)
        body = encode_request(request, provider=self._name, max_tokens=spec.max_output_tokens, thinking=spec.thinking)
        turn = Turn(self._name, request.model, overrides=spec.prices, scrub=self._scrub)
        response = await self._send(body)
        try:
            _require_stream(response)
            events = Events()
            async with contextlib.aclosing(response.aiter_bytes()) as chunks:
                while not turn.done:
                    for data in _complete(events, await self._chunk(chunks)):
                        if (event := turn.take(data)) is not None:
                            yield event
                await _drain(chunks)
        finally:
            await response.aclose()
        yield turn.result()

    async def _send(self, body: bytes) -> httpx2.Response:
        """Sends the request and waits for the head of a successful answer."""
        try:
            async with asyncio.timeout(self._spec.timeout):
                return cast(
                    httpx2.Response,
                    await self._client.post(
                        "/v1/messages",
                        cast_to=httpx2.Response,
                        content=body,
                        options={"headers": _HEADERS},
                        stream=True,
                        stream_cls=AsyncStream[Any],
                    ),
                )
        except (TimeoutError, APITimeoutError):
            seconds = self._spec.timeout
            raise unavailable("provider_timeout", f"the provider did not answer within {seconds:g} s") from None
        except APIStatusError as error:
            raise self._refusal(error) from None
        except (APIConnectionError, *_LOST):
            raise unavailable("provider_connection", "the provider could not be reached") from None

    def _refusal(self, error: APIStatusError) -> ProviderError:
        wait = retry_after(error.response.headers)
        return from_status(error.status_code, self._scrub(error.api_message or ""), retry_after=wait)

    async def _chunk(self, chunks: AsyncGenerator[bytes, None]) -> bytes:
        """The next bytes of the stream; raises when they do not come."""
        try:
            async with asyncio.timeout(self._spec.stall_timeout):
                return await anext(chunks)
        except TimeoutError:
            seconds = self._spec.stall_timeout
            raise unavailable("provider_stalled", f"the provider sent nothing for {seconds:g} s") from None
        except StopAsyncIteration:
            raise unavailable("provider_cut_off", "the provider's answer ended before it was whole") from None
        except _LOST:
            raise unavailable("provider_connection", "the connection to the provider was lost") from None


def _require_stream(response: httpx2.Response) -> None:
    kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "text/event-stream":
        raise ProviderError(f"the provider answered with {kind or 'no content type'} instead of an event stream")


def _complete(events: Events, chunk: bytes) -> list[bytes]:
    try:
        return events.feed(chunk)
    except ValueError:
        raise ProviderError("the provider sent an event that is too large") from None


async def _drain(chunks: AsyncGenerator[bytes, None]) -> None:
    """Reads to the end of the body, which is there by now: only then is the connection used again."""
    with contextlib.suppress(*_LOST):
        async with asyncio.timeout(_DRAIN):
            async for _ in chunks:
                continue


def _client(spec: AnthropicSpec) -> AsyncAnthropic:
    """An SDK client that takes nothing from the environment but proxies and certificate authorities."""
    client = AsyncAnthropic(
        api_key=spec.api_key,
        auth_token=spec.auth_token,
        base_url=spec.base_url,
        max_retries=0,
        open_telemetry=False,
        http_client=DefaultAioHttpClient(
            limits=httpx2.Limits(max_connections=_CONNECTIONS, keepalive_expiry=_KEEPALIVE),
            # The time limits are the caller's: one for the beginning of the answer, one for silence within it.
            timeout=httpx2.Timeout(None),
            follow_redirects=False,
        ),
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
