"""The provider kind `openai`: OpenAI's models over the Responses API, or a server that speaks it."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import ClassVar, Literal

from pydantic import Field

from headgate.core.errors import ProviderError
from headgate.core.kind import Env, Kind
from headgate.core.ports import ModelRequest, Provider
from headgate.core.scalars import Patience, Secret
from headgate.providers.openai_errors import refused
from headgate.providers.openai_turn import Turn
from headgate.providers.openai_wire import encode_request
from headgate.providers.remote import Refusal, Remote, RemoteSpec, connect

BASE_URL = "https://api.openai.com/v1"
DEFAULT_MODEL = "gpt-6.2-sol"


class OpenAiSpec(RemoteSpec):
    """OpenAI's models over the Responses API; for compatible servers there is the kind `openai_chat`."""

    kind: Literal["openai"] = "openai"
    api_key: Secret = Field(min_length=1)
    """The API key."""
    base_url: str = Field(default=BASE_URL, pattern=r"^https?://[^\s/]+")
    """Where the API is, its version included."""
    stall_timeout: Patience = 300.0
    """How long the stream may be silent; a model that thinks without a summary sends nothing meanwhile."""
    default: ClassVar[str] = DEFAULT_MODEL


class OpenAi(Remote[OpenAiSpec]):
    """An opened provider of kind `openai`."""

    path = "/responses"

    def _prepare(self, request: ModelRequest) -> tuple[bytes, Turn]:
        spec = self._spec
        body = encode_request(request, provider=self._name, max_tokens=spec.max_output_tokens, thinking=spec.thinking)
        return body, Turn(self._name, request, overrides=spec.prices, scrub=self._scrub)

    def _explain(self, refusal: Refusal) -> ProviderError:
        return refused(refusal, self._scrub)


@contextlib.asynccontextmanager
async def open_openai(spec: OpenAiSpec, env: Env) -> AsyncIterator[OpenAi]:
    """Opens the provider: one connection pool, closed at the end."""
    headers = {"Authorization": f"Bearer {spec.api_key}", **spec.extra_headers}
    async with await connect(spec.base_url, headers) as line:
        yield OpenAi(spec, env.name, line, env.scrub)


KIND: Kind[OpenAiSpec, Provider] = Kind(
    name="openai",
    summary="OpenAI's models over the Responses API.",
    spec=OpenAiSpec,
    open=open_openai,
)
