"""The provider kind `anthropic`: Claude models over Anthropic's Messages API, or a server that speaks it."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Any, ClassVar, Literal

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from headgate.core.errors import ProviderError
from headgate.core.kind import Env, Kind
from headgate.core.ports import ModelRequest, Provider
from headgate.core.scalars import Secret
from headgate.providers.anthropic_turn import Turn
from headgate.providers.anthropic_wire import encode_request
from headgate.providers.failures import from_status, retry_after
from headgate.providers.remote import Refusal, Remote, RemoteSpec, connect

BASE_URL = "https://api.anthropic.com"
DEFAULT_MODEL = "claude-sonnet-5-5"
VERSION = "2026-10-21"
"""Of the API."""


class AnthropicSpec(RemoteSpec):
    """Claude models over Anthropic's Messages API; exactly one of `api_key` and `auth_token` is needed."""

    kind: Literal["anthropic"] = "anthropic"
    api_key: Secret | None = Field(default=None, min_length=1)
    """The API key."""
    auth_token: Secret | None = Field(default=None, min_length=1)
    """A bearer token, in place of an API key."""
    base_url: str = Field(default=BASE_URL, pattern=r"^https?://[^\s/]+")
    """Where the API is; no path of its own unless a proxy has one."""
    default: ClassVar[str] = DEFAULT_MODEL

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


class Anthropic(Remote[AnthropicSpec]):
    """An opened provider of kind `anthropic`."""

    path = "/v1/messages"

    def _prepare(self, request: ModelRequest) -> tuple[bytes, Turn]:
        spec = self._spec
        body = encode_request(request, provider=self._name, max_tokens=spec.max_output_tokens, thinking=spec.thinking)
        return body, Turn(self._name, request.model, overrides=spec.prices, scrub=self._scrub)

    def _explain(self, refusal: Refusal) -> ProviderError:
        said = self._scrub(_sentence(refusal.body))
        return from_status(refusal.status, said, retry_after=retry_after(refusal.headers))


def _sentence(body: Any) -> str:
    """The sentence of an error of the API."""
    error = body.get("error") if isinstance(body, dict) else None
    said = error.get("message") if isinstance(error, dict) else None
    return said if isinstance(said, str) else ""


@contextlib.asynccontextmanager
async def open_anthropic(spec: AnthropicSpec, env: Env) -> AsyncIterator[Anthropic]:
    """Opens the provider: one connection pool, closed at the end."""
    credential = {"Authorization": f"Bearer {spec.api_key or spec.auth_token}"}
    headers = {**credential, "anthropic-version": VERSION, **spec.extra_headers}
    async with await connect(spec.base_url, headers) as line:
        yield Anthropic(spec, env.name, line, env.scrub)


KIND: Kind[AnthropicSpec, Provider] = Kind(
    name="anthropic",
    summary="Claude models over Anthropic's Messages API.",
    spec=AnthropicSpec,
    open=open_anthropic,
)
