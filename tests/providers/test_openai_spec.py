"""The keys of the provider kinds `openai` and `openai_chat`, and the presets."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from headgate.providers.openai import OpenAiSpec
from headgate.providers.openai_chat import OpenAiChatSpec
from headgate.providers.openai_presets import PLAIN, PRESETS

COMMON = {
    "api_key": "k",
    "base_url": "https://proxy.example.com/v1",
    "model": "gpt-6-sol",
    "allow_models": ["gpt-*"],
    "max_output_tokens": 8000,
    "thinking": 20_000,
    "timeout": "30s",
    "turn_timeout": "5m",
    "stall_timeout": "45s",
    "retry": {"max": 3, "backoff": "500ms"},
    "fallback": ["claude"],
    "prices": {"m": {"input": 1, "output": 2, "cache_read": 0.1, "cache_write": 1.25, "cache_write_1h": 2}},
    "extra_headers": {"X-Team": "ops"},
}


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        ({}, "api_key"),
        ({"api_key": ""}, "at least 1 character"),
        ({"api_key": "a", "base_url": "ftp://x"}, "match pattern"),
        ({"api_key": "a", "thinking": "much"}, "thinking"),
        ({"api_key": "a", "preset": "ollama"}, "Extra inputs"),
        ({"api_key": "a", "auth_token": "b"}, "Extra inputs"),
    ],
)
def test_bad_specs(raw: dict[str, Any], words: str) -> None:
    """A spec that cannot work is refused with a sentence that says why."""
    with pytest.raises(ValidationError, match=words):
        OpenAiSpec.model_validate(raw)


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        ({"model": "m"}, "base_url is needed, or a preset"),
        ({"base_url": "http://x/v1"}, "model"),
        ({"preset": "ollama", "model": ""}, "at least 1 character"),
        ({"preset": "olama", "model": "m"}, "unknown preset olama; one of openai, openrouter, google"),
        ({"preset": "openrouter", "model": "m"}, r'write api_key = "\$\{env:OPENROUTER_API_KEY\}"'),
        ({"preset": "ollama", "model": "m", "extra_headers": {"X": "a\nb"}}, "match pattern"),
    ],
)
def test_bad_chat_specs(raw: dict[str, Any], words: str) -> None:
    """A spec that cannot work is refused with a sentence that says why, and how to mend it."""
    with pytest.raises(ValidationError, match=words):
        OpenAiChatSpec.model_validate(raw)


def test_whole_specs() -> None:
    """Every key of the manifest page is known to both kinds."""
    spec = OpenAiSpec.model_validate({"kind": "openai", **COMMON})
    chat = OpenAiChatSpec.model_validate({"kind": "openai_chat", **COMMON, "preset": "vllm"})
    for each in (spec, chat):
        assert (each.turn_timeout, each.retry.backoff, each.fallback) == (300.0, 0.5, ("claude",))
        assert each.stall_timeout == 45.0
    assert chat.server is PRESETS["vllm"]


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_presets(name: str) -> None:
    """Every preset has an address, and makes a spec with the key that it needs and no more."""
    preset = PRESETS[name]
    key = {"api_key": "k"} if preset.variable else {}
    spec = OpenAiChatSpec.model_validate({"preset": name, "model": "m", **key})
    assert spec.server is preset
    assert preset.base_url.startswith("http://127.0.0.1:" if preset.variable is None else "https://")
    assert not preset.base_url.endswith("/")


def test_own_address() -> None:
    """An address of the manifest stands in for the preset's, and then the key is the server's affair."""
    spec = OpenAiChatSpec.model_validate({"preset": "openrouter", "base_url": "http://10.0.0.1/v1", "model": "m"})
    assert spec.api_key is None
    assert OpenAiChatSpec.model_validate({"base_url": "http://x/v1", "model": "m"}).server is PLAIN


def test_schema_names_presets() -> None:
    """The schema lists the presets."""
    schema = OpenAiChatSpec.model_json_schema()
    (names,) = [each["enum"] for each in schema["properties"]["preset"]["anyOf"] if "enum" in each]
    assert names == list(PRESETS)
