"""The provider kind `auto`: the first provider whose credential is in the environment, else the scripted demo."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import Field

from headgate.core.errors import ConfigError
from headgate.core.kind import Env, Kind
from headgate.core.ports import Provider
from headgate.core.scalars import Patience
from headgate.providers.settings import ProviderSpec, Thinking

GREETING = "No model provider is configured, so this is the scripted demo of Headgate. You said: {{ user }}"
"""What the demo says when no script is named."""

_SHARED = frozenset({"turn_timeout", "retry", "fallback"})
_MODEL = _SHARED | {"model", "allow_models", "max_output_tokens", "thinking", "timeout", "stall_timeout"}


class AutoSpec(ProviderSpec):
    """Whatever the environment has a credential for; keys that the chosen kind does not have are left out."""

    kind: Literal["auto"] = "auto"
    script: str | None = Field(default=None, pattern=r"\.ya?ml$")
    """What the scripted demo says: a YAML file of the tree with a list of turns."""
    max_output_tokens: int | None = Field(default=None, ge=1)
    """The most tokens of one turn, thinking included."""
    thinking: Thinking | None = None
    """`off`, `adaptive`, an effort (`low`, `medium`, `high`) or a budget in tokens."""
    timeout: Patience = 120.0
    """How long connecting and waiting for the answer's beginning may take."""
    stall_timeout: Patience = 60.0
    """How long the stream may be silent."""


@dataclass(frozen=True, slots=True)
class _Row:
    """A credential in the environment, and the kind and keys that it stands for."""

    variable: str
    kind: str
    key: str
    base_url: str


_TABLE = (
    _Row("ANTHROPIC_API_KEY", "anthropic", "api_key", "ANTHROPIC_BASE_URL"),
    _Row("ANTHROPIC_AUTH_TOKEN", "anthropic", "auth_token", "ANTHROPIC_BASE_URL"),
    _Row("OPENAI_API_KEY", "openai", "api_key", "OPENAI_BASE_URL"),
)


def choose(spec: AutoSpec, environ: Mapping[str, str]) -> dict[str, Any]:
    """The raw spec, `kind` included, of the provider that stands in; an empty variable counts as unset."""
    for row in _TABLE:
        if credential := environ.get(row.variable):
            url = environ.get(row.base_url)
            address = {"base_url": url} if url else {}
            return {"kind": row.kind, row.key: credential, **address, **_given(spec, _MODEL)}
    said = {"turns": [{"text": GREETING}]} if spec.script is None else {"script": spec.script}
    return {"kind": "scripted", "demo": True, **said, **_given(spec, _SHARED)}


def _given(spec: AutoSpec, keys: frozenset[str]) -> dict[str, Any]:
    """What the manifest says of these keys, and nothing that it does not."""
    return spec.model_dump(include=set(keys), exclude_unset=True)


def _open(_spec: AutoSpec, env: Env) -> AbstractAsyncContextManager[Provider]:
    """Refuses: an alias stands for another kind and is never opened itself."""
    raise ConfigError(f"provider {env.name!r} is an alias that was not resolved", key=("kind",))


KIND: Kind[AutoSpec, Provider] = Kind(
    name="auto",
    summary="The first provider whose credential is in the environment, else the scripted demo.",
    spec=AutoSpec,
    open=_open,
    choose=choose,
)
