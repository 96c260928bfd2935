"""The provider kind `openai_chat`: any model behind any server that speaks OpenAI's Chat Completions API."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from headgate.core.errors import ProviderError
from headgate.core.kind import Env, Kind
from headgate.core.ports import ModelRequest, Provider
from headgate.core.scalars import Patience, Secret
from headgate.providers.openai_chat_turn import Turn
from headgate.providers.openai_chat_wire import encode_request
from headgate.providers.openai_errors import refused
from headgate.providers.openai_presets import PLAIN, PRESETS, Preset
from headgate.providers.remote import Refusal, Remote, RemoteSpec, connect


def _known(name: str) -> str:
    if name not in PRESETS:
        names = ", ".join(PRESETS)
        raise PydanticCustomError("preset", "unknown preset {name}; one of {names}", {"name": name, "names": names})
    return name


PresetName = Annotated[str, AfterValidator(_known), Field(json_schema_extra={"enum": list(PRESETS)})]
"""The name of a server in the table of presets."""


class OpenAiChatSpec(RemoteSpec):
    """Any model behind a server that speaks Chat Completions; `preset` or `base_url` says which server."""

    kind: Literal["openai_chat"] = "openai_chat"
    preset: PresetName | None = None
    """A server that is known by name: its address, and what is peculiar to it."""
    base_url: str | None = Field(default=None, pattern=r"^https?://[^\s/]+")
    """Where the API is, its version included; with a preset, in place of the preset's address."""
    api_key: Secret | None = Field(default=None, min_length=1)
    """The API key, where the server needs one."""
    model: str = Field(min_length=1)
    """The model that `model = "auto"` stands for; a name as the server has it."""
    stall_timeout: Patience = 300.0
    """How long the stream may be silent; a server that reads a long prompt sends nothing meanwhile."""

    @model_validator(mode="after")
    def _somewhere(self) -> OpenAiChatSpec:
        if self.preset is None and self.base_url is None:
            raise PydanticCustomError("server", "base_url is needed, or a preset")
        return self

    @model_validator(mode="after")
    def _with_key(self) -> OpenAiChatSpec:
        variable = self.server.variable
        if self.api_key is None and self.base_url is None and variable is not None:
            hint = {"preset": self.preset, "wanted": f'api_key = "${{env:{variable}}}"'}
            raise PydanticCustomError("credential", "preset {preset} needs a key: write {wanted}", hint)
        return self

    @property
    def server(self) -> Preset:
        """What is known of the server."""
        return PRESETS[self.preset] if self.preset is not None else PLAIN

    @property
    def listed(self) -> bool:
        """Whether the server is one whose prices are in the built-in table."""
        return self.server.own


class OpenAiChat(Remote[OpenAiChatSpec]):
    """An opened provider of kind `openai_chat`."""

    path = "/chat/completions"

    def _prepare(self, request: ModelRequest) -> tuple[bytes, Turn]:
        spec, server = self._spec, self._spec.server
        limit, thinking = spec.max_output_tokens, spec.thinking
        body = encode_request(request, provider=self._name, preset=server, max_tokens=limit, thinking=thinking)
        return body, Turn(self._name, request, overrides=spec.prices, server=server, scrub=self._scrub)

    def _explain(self, refusal: Refusal) -> ProviderError:
        return refused(refusal, self._scrub)


@contextlib.asynccontextmanager
async def open_openai_chat(spec: OpenAiChatSpec, env: Env) -> AsyncIterator[OpenAiChat]:
    """Opens the provider: one connection pool, closed at the end."""
    server = spec.server
    credential = {"Authorization": f"Bearer {spec.api_key}"} if spec.api_key else {}
    async with await connect(
        spec.base_url or server.base_url, {**credential, **server.headers, **spec.extra_headers}
    ) as line:
        yield OpenAiChat(spec, env.name, line, env.scrub)


KIND: Kind[OpenAiChatSpec, Provider] = Kind(
    name="openai_chat",
    summary="Any model behind a server that speaks OpenAI's Chat Completions API.",
    spec=OpenAiChatSpec,
    open=open_openai_chat,
)
