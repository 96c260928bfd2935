"""Which models have a price that is known before they are asked."""

from __future__ import annotations

from typing import Any

import pytest

from headgate.providers import PROVIDERS

KEY = {"api_key": "k"}
LOCAL = {"base_url": "http://127.0.0.1:1/v1", "model": "gpt-5"}


@pytest.mark.parametrize(
    ("kind", "raw", "model", "known"),
    [
        ("anthropic", KEY, "auto", True),
        ("anthropic", {**KEY, "model": "house"}, "auto", False),
        ("anthropic", {**KEY, "model": "house"}, "claude-opus-5-20260724", True),
        ("anthropic", {**KEY, "prices": {"house": {"input": 0, "output": 0}}}, "house", True),
        ("openai", KEY, "auto", True),
        ("openai", KEY, "gpt-unheard-of", False),
        ("openai_chat", {**KEY, "preset": "openai", "model": "gpt-5"}, "auto", True),
        ("openai_chat", LOCAL, "auto", False),
        ("openai_chat", {**LOCAL, "prices": {"gpt-5": {"input": 1, "output": 1}}}, "auto", True),
        ("scripted", {"turns": [{"text": "Hello"}]}, "anything", True),
    ],
)
def test_priced(kind: str, raw: dict[str, Any], model: str, known: bool) -> None:
    """The manifest's prices and the built-in table count, the table only for servers whose prices it has."""
    assert PROVIDERS[kind].spec(**raw).priced(model) is known
