"""The servers that `preset` knows: where they are, where their key usually is, and what is peculiar to them.

A new one is one row of `PRESETS`. What the flags are for:
Google https://ai.google.dev/gemini-api/docs/openai and /thought-signatures;
OpenRouter https://openrouter.ai/docs/use-cases/reasoning-tokens;
DeepSeek https://api-docs.deepseek.com/guides/thinking_mode;
vLLM https://docs.vllm.ai/en/latest/features/reasoning_outputs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Style = Literal["effort", "openrouter", "switch", "template"]
"""How thinking is asked for: `reasoning_effort` alone; OpenRouter's `reasoning` object; a `thinking` switch beside the
effort; a switch for the chat template beside the effort."""
Echo = Literal["never", "field", "details"]
"""What of a model's thinking goes back: nothing; its text, in the member it came in; OpenRouter's details."""


@dataclass(frozen=True, slots=True)
class Preset:
    """One server. `variable` is where its key usually is in the environment; None: it needs no key.

    `limit` is the member with the most tokens of a turn. `signed`: calls that have no signature of this server need
    the stand-in that it documents. `reasoned`: a message with calls must have its reasoning, be it empty. `own`: it is
    OpenAI's own, which takes a key for its prompt cache and whose prices are known.
    """

    base_url: str
    variable: str | None = None
    limit: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    style: Style = "effort"
    echo: Echo = "never"
    headers: Mapping[str, str] = field(default_factory=dict)
    signed: bool = False
    reasoned: bool = False
    own: bool = False


PLAIN = Preset("")
"""A server that nothing is known of."""

PRESETS: Mapping[str, Preset] = {
    "openai": Preset("https://api.openai.com/v1", "OPENAI_API_KEY", limit="max_completion_tokens", own=True),
    "openrouter": Preset(
        "https://openrouter.ai/api/v1",
        "OPENROUTER_API_KEY",
        style="openrouter",
        echo="details",
        headers={"X-Title": "Headgate"},
    ),
    "google": Preset("https://generativelanguage.googleapis.com/v1beta/openai", "GEMINI_API_KEY", signed=True),
    "deepseek": Preset("https://api.deepseek.com", "DEEPSEEK_API_KEY", style="switch", echo="field", reasoned=True),
    "groq": Preset("https://api.groq.com/openai/v1", "GROQ_API_KEY", limit="max_completion_tokens"),
    "xai": Preset("https://api.x.ai/v1", "XAI_API_KEY"),
    "together": Preset("https://api.together.xyz/v1", "TOGETHER_API_KEY"),
    "fireworks": Preset("https://api.fireworks.ai/inference/v1", "FIREWORKS_API_KEY"),
    "ollama": Preset("http://127.0.0.1:11434/v1"),
    "vllm": Preset("http://127.0.0.1:8000/v1", style="template"),
    "lmstudio": Preset("http://127.0.0.1:1234/v1"),
    "llamacpp": Preset("http://127.0.0.1:8080/v1"),
}
"""Every preset by name."""
