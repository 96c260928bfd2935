"""The provider kind `auto`."""

from __future__ import annotations

from typing import Any

import pytest

from headgate.core.errors import ConfigError
from headgate.providers import PROVIDERS
from headgate.providers.auto import AutoSpec, choose
from tests.providers.conftest import Open
from tests.providers.samples import ask, finish, user

FULL = {
    "kind": "auto",
    "script": "demo.yaml",
    "model": "claude-opus-5",
    "allow_models": ["claude-*"],
    "max_output_tokens": 5000,
    "thinking": "low",
    "timeout": "30s",
    "stall_timeout": "20s",
    "turn_timeout": "5m",
    "retry": {"max": 1},
    "fallback": ["other"],
}


@pytest.mark.parametrize(
    ("environ", "chosen"),
    [
        ({"ANTHROPIC_API_KEY": "k"}, {"kind": "anthropic", "api_key": "k"}),
        ({"ANTHROPIC_API_KEY": "k", "ANTHROPIC_AUTH_TOKEN": "t"}, {"kind": "anthropic", "api_key": "k"}),
        (
            {"ANTHROPIC_API_KEY": "", "ANTHROPIC_AUTH_TOKEN": "t", "ANTHROPIC_BASE_URL": "http://x"},
            {"kind": "anthropic", "auth_token": "t", "base_url": "http://x"},
        ),
        ({"OPENAI_API_KEY": "o"}, {"kind": "openai", "api_key": "o"}),
        ({"ANTHROPIC_AUTH_TOKEN": "t", "OPENAI_API_KEY": "o"}, {"kind": "anthropic", "auth_token": "t"}),
        (
            {"OPENAI_API_KEY": "o", "OPENAI_BASE_URL": "http://x/v1", "ANTHROPIC_BASE_URL": "http://y"},
            {"kind": "openai", "api_key": "o", "base_url": "http://x/v1"},
        ),
    ],
)
def test_credentials(environ: dict[str, str], chosen: dict[str, Any]) -> None:
    """The first credential that is set decides; its base URL goes with it."""
    assert choose(AutoSpec(), environ) == chosen


def test_demo() -> None:
    """Without a credential the scripted demo stands in, and says so."""
    raw = choose(AutoSpec(script="demo.yaml"), {"ANTHROPIC_BASE_URL": "http://x"})
    assert raw == {"kind": "scripted", "demo": True, "script": "demo.yaml"}


@pytest.mark.parametrize("environ", [{}, {"ANTHROPIC_API_KEY": "k"}, {"OPENAI_API_KEY": "k"}])
def test_every_key_fits(environ: dict[str, str]) -> None:
    """Whatever is chosen accepts the keys that are passed on, and times keep their meaning."""
    raw = choose(AutoSpec.model_validate(FULL), environ)
    spec = PROVIDERS[raw["kind"]].spec.model_validate(raw)
    assert (spec.turn_timeout, spec.retry.max, spec.fallback) == (300.0, 1, ("other",))
    if environ:
        assert (spec.model, spec.thinking, spec.timeout, spec.stall_timeout) == ("claude-opus-5", "low", 30.0, 20.0)


async def test_demo_without_script(open_kind: Open) -> None:
    """The demo speaks even without a script, and calls itself one."""
    raw = choose(AutoSpec(), {})
    async with open_kind(**raw) as provider:
        assert provider.demo
        assert "scripted demo" in (await finish(provider, ask(user("hey")))).message.text


def test_alias_is_not_opened(open_kind: Open) -> None:
    """An alias that nobody resolved is refused."""
    with pytest.raises(ConfigError, match="alias"):
        open_kind("auto")
