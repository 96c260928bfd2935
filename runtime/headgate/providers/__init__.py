"""The family of model providers: one module a kind, one line of this registry."""

from __future__ import annotations

from typing import Any

from headgate.core.kind import Kind
from headgate.core.ports import Provider
from headgate.providers import anthropic, auto, openai, openai_chat, scripted

PROVIDERS: dict[str, Kind[Any, Provider]] = {
    kind.name: kind
    for kind in (
        anthropic.KIND,
        openai.KIND,
        openai_chat.KIND,
        scripted.KIND,
        auto.KIND,
    )
}
"""Every provider kind by name."""
