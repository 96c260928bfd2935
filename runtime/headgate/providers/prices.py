"""What tokens cost: USD per million, by token class.

Source of the table: https://platform.claude.com/docs/en/about-claude/pricing, November 2026. A manifest's `prices`
override it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from pydantic import Field

from headgate.core.kind import Spec
from headgate.core.messages import Usage

_WRITE = 1.25
_WRITE_1H = 2.0
_READ = 0.1
_MILLION = 1_000_000
_SNAPSHOT = re.compile(r"(?:-latest|[-@]\d{8}.*)?")


class Price(Spec):
    """The price of one model, in USD per million tokens."""

    input: float = Field(ge=0, allow_inf_nan=False)
    """Input that is not read from or written to a cache."""
    output: float = Field(ge=0, allow_inf_nan=False)
    """Output, thinking included."""
    cache_read: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    """Input read from a cache; a tenth of `input` when it is not given."""
    cache_write: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    """Input written to a cache for five minutes; 1.25 times `input` when not given. An hour costs 1.6 times this."""

    def of(self, usage: Usage) -> float:
        """The cost of these tokens, in USD."""
        write = self.input * _WRITE if self.cache_write is None else self.cache_write
        read = self.input * _READ if self.cache_read is None else self.cache_read
        total = (
            usage.input * self.input
            + usage.output * self.output
            + usage.cache_write * write
            + usage.cache_write_1h * write * (_WRITE_1H / _WRITE)
            + usage.cache_read * read
        )
        return total / _MILLION


_OPUS = Price(input=5, output=25)
_OPUS_4 = Price(input=15, output=75)
_SONNET_4 = Price(input=3, output=15)
_FABLE_5_2 = Price(input=8, output=40, cache_read=0.20)
_FABLE_5_1 = Price(input=10, output=50, cache_read=0.25)
_FABLE_5 = Price(input=10, output=50)

TABLE: Mapping[str, Price] = {
    "claude-fable-5-2": _FABLE_5_2,
    "claude-mythos-5-2": _FABLE_5_2,
    "claude-fable-5-1": _FABLE_5_1,
    "claude-mythos-5-1": _FABLE_5_1,
    "claude-fable-5": _FABLE_5,
    "claude-mythos-5": _FABLE_5,
    "claude-opus-5-5": Price(input=4, output=20, cache_read=0.20),
    "claude-opus-5": _OPUS,
    "claude-opus-4-8": _OPUS,
    "claude-opus-4-7": _OPUS,
    "claude-opus-4-6": _OPUS,
    "claude-opus-4-5": _OPUS,
    "claude-opus-4-1": _OPUS_4,
    "claude-opus-4": _OPUS_4,
    "claude-sonnet-5-5": Price(input=2, output=10, cache_read=0.10),
    "claude-sonnet-5": Price(input=2, output=10),
    "claude-sonnet-4-6": _SONNET_4,
    "claude-sonnet-4-5": _SONNET_4,
    "claude-sonnet-4": _SONNET_4,
    "claude-haiku-5-5": Price(input=0.10, output=0.50),
    "claude-haiku-4-5": Price(input=1, output=5),
}

LONG_PROMPTS: Mapping[str, tuple[int, Price]] = {"claude-haiku-5-5": (100_000, Price(input=0.50, output=2.50))}
"""Models whose whole request has another price when its prompt is longer than so many tokens."""


def cost(model: str, usage: Usage, overrides: Mapping[str, Price] | None = None) -> float | None:
    """The cost in USD, or None when the model has no known price.

    Overrides go before the table. A name covers its dated snapshots too (`claude-opus-5-20260724`), never a model of
    another version; of the table's names, a vendor's prefix (`anthropic/`) is ignored.
    """
    name = _match(model, overrides or {})
    if overrides and name is not None:
        return overrides[name].of(usage)
    name = _match(model[max(model.find("claude-"), 0) :], TABLE)
    if name is None:
        return None
    threshold, price = LONG_PROMPTS.get(name, (0, TABLE[name]))
    return (price if _prompt(usage) > threshold else TABLE[name]).of(usage)


def _match(model: str, names: Mapping[str, Price]) -> str | None:
    if model in names:
        return model
    fitting = (name for name in names if model.startswith(name) and _SNAPSHOT.fullmatch(model, len(name)))
    return max(fitting, key=len, default=None)


def _prompt(usage: Usage) -> int:
    return usage.input + usage.cache_write + usage.cache_write_1h + usage.cache_read
