"""The keys of the provider kind `anthropic`."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from headgate.providers.anthropic import AnthropicSpec


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        ({}, "exactly one of api_key and auth_token"),
        ({"api_key": "a", "auth_token": "b"}, "exactly one of api_key and auth_token"),
        ({"api_key": ""}, "at least 1 character"),
        ({"api_key": "a", "base_url": "ftp://x"}, "match pattern"),
        ({"api_key": "a", "thinking": 100}, "greater than or equal to 1024"),
        ({"api_key": "a", "thinking": 2048, "max_output_tokens": 2048}, "below max_output_tokens"),
        ({"api_key": "a", "timeout": 5}, "not a duration"),
        ({"api_key": "a", "retry": {"max": 99}}, "less than or equal to 10"),
        ({"api_key": "a", "extra_headers": {"X": "a\nb"}}, "match pattern"),
        ({"api_key": "a", "prices": {"m": {"input": -1, "output": 1}}}, "greater than or equal to 0"),
        ({"api_key": "a", "temperature": 1}, "Extra inputs"),
    ],
)
def test_bad_specs(raw: dict[str, Any], words: str) -> None:
    """A spec that cannot work is refused with a sentence that says why."""
    with pytest.raises(ValidationError, match=words):
        AnthropicSpec.model_validate(raw)


def test_whole_spec() -> None:
    """Every key of the manifest page is known."""
    spec = AnthropicSpec.model_validate(
        {
            "kind": "anthropic",
            "api_key": "k",
            "base_url": "https://proxy.example.com/anthropic",
            "model": "claude-opus-5-5",
            "allow_models": ["claude-*"],
            "max_output_tokens": 8000,
            "thinking": "high",
            "timeout": "30s",
            "turn_timeout": "5m",
            "stall_timeout": "45s",
            "retry": {"max": 3, "backoff": "500ms"},
            "fallback": ["gpt"],
            "prices": {"m": {"input": 1, "output": 2, "cache_read": 0.1, "cache_write": 1.25}},
            "extra_headers": {"X-Team": "ops"},
        }
    )
    assert (spec.turn_timeout, spec.retry.backoff, spec.fallback) == (300.0, 0.5, ("gpt",))
