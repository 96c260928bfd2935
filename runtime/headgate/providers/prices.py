"""What tokens cost: USD per million, by token class.

Sources of the table, November 2026: https://platform.claude.com/docs/en/about-claude/pricing,
https://developers.openai.com/api/docs/pricing and the model pages below /api/docs/models, at standard processing
without a regional premium. A manifest's `prices` override it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

from pydantic import Field

from headgate.core.kind import Spec
from headgate.core.messages import Usage

_WRITE = 1.25
_WRITE_1H = 2.0
_READ = 0.1
_MILLION = 1_000_000
_SNAPSHOT = re.compile(r"(?:-latest|[-@]\d{8}.*|-\d{4}-\d{2}-\d{2})?")


class Price(Spec):
    """The price of one model, in USD per million tokens."""

    input: float = Field(ge=0, allow_inf_nan=False)
    """Input that is not read from or written to a cache."""
    output: float = Field(ge=0, allow_inf_nan=False)
    """Output, thinking included."""
    cache_read: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    """Input read from a cache; a tenth of `input` when it is not given."""
    cache_write: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    """Input written to a cache for a short time (5 or 30 minutes); 1.25 times `input` when it is not given."""
    cache_write_1h: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    """Input written to a cache for an hour or longer; 1.6 times `cache_write` when it is not given."""

    def of(self, usage: Usage) -> float:
        """The cost of these tokens, in USD."""
        write = self.input * _WRITE if self.cache_write is None else self.cache_write
        long = write * (_WRITE_1H / _WRITE) if self.cache_write_1h is None else self.cache_write_1h
        read = self.input * _READ if self.cache_read is None else self.cache_read
        total = (
            usage.input * self.input
            + usage.output * self.output
            + usage.cache_write * write
            + usage.cache_write_1h * long
            + usage.cache_read * read
        )
        return total / _MILLION


def _gpt(input: float, output: float, read: float, *, write: float = 1.25) -> Price:
    """OpenAI's prices: what is kept for 12 hours costs twice what is kept for 30 minutes."""
    once = input * write
    return Price(input=input, output=output, cache_read=read, cache_write=once, cache_write_1h=2 * once)


def _older(input: float, output: float, read: float) -> Price:
    """OpenAI's prices before GPT-5.6: writing to the cache is not charged."""
    return Price(input=input, output=output, cache_read=read, cache_write=input, cache_write_1h=input)


_OPUS = Price(input=5, output=25)
_OPUS_4 = Price(input=15, output=75)
_SONNET_4 = Price(input=3, output=15)
_FABLE_5_2 = Price(input=8, output=40, cache_read=0.20)
_FABLE_5_1 = Price(input=10, output=50, cache_read=0.25)
_FABLE_5 = Price(input=10, output=50)

_CLAUDE: Mapping[str, Price] = {
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

_LONG_GPT: Mapping[str, Price] = {
    "gpt-6.2-astra": _gpt(8, 40, 0.40),
    "gpt-6.2-sol": _gpt(2, 10, 0.10),
    "gpt-6.1-sol": _gpt(2, 10, 0.10),
    "gpt-6.1-terra": _gpt(1, 5, 0.05),
    "gpt-6-astra": _gpt(10, 50, 1.00),
    "gpt-6-sol": _gpt(2, 10, 0.20),
    "gpt-6-luna": _gpt(0.10, 0.50, 0.01),
    "gpt-5.6": _gpt(4, 20, 0.40),
    "gpt-5.6-sol": _gpt(4, 20, 0.40),
    "gpt-5.6-terra": _gpt(2, 12, 0.20),
    "gpt-5.6-luna": _gpt(0.20, 1.20, 0.02),
    "gpt-5.5": _older(5, 30, 0.50),
    "gpt-5.5-pro": _older(30, 180, 30),
    "gpt-5.4": _older(2.50, 15, 0.25),
    "gpt-5.4-pro": _older(30, 180, 30),
}
"""OpenAI's models with a window of a million tokens, at what a short prompt costs."""

TABLE: Mapping[str, Price] = {
    **_CLAUDE,
    **_LONG_GPT,
    "gpt-5.4-mini": _older(0.75, 4.50, 0.075),
    "gpt-5.4-nano": _older(0.20, 1.25, 0.02),
    "gpt-5.2": _older(1.75, 14, 0.175),
    "gpt-5.1": _older(1.25, 10, 0.125),
    "gpt-5": _older(1.25, 10, 0.125),
    "gpt-5-mini": _older(0.25, 2, 0.025),
    "gpt-5-nano": _older(0.05, 0.40, 0.005),
    "gpt-4.1": _older(2, 8, 0.50),
    "gpt-4.1-mini": _older(0.40, 1.60, 0.10),
    "gpt-4o": _older(2.50, 10, 1.25),
    "gpt-4o-mini": _older(0.15, 0.60, 0.075),
    "o3": _older(2, 8, 0.50),
}
"""Prices by model."""

_LONG = 272_000


def _long(price: Price) -> Price:
    """OpenAI's prices of a long prompt: twice the input and cache prices, one and a half times the output."""
    doubled = {name: value * 2 for name, value in price.model_dump().items() if value is not None}
    return Price(**{**doubled, "output": price.output * 1.5})


LONG_PROMPTS: Mapping[str, tuple[int, Price]] = {
    "claude-haiku-5-5": (100_000, Price(input=0.50, output=2.50)),
    **{name: (_LONG, _long(price)) for name, price in _LONG_GPT.items()},
}
"""Models whose whole request has another price when its prompt is longer than so many tokens."""


def cost(model: str, usage: Usage, overrides: Mapping[str, Price] | None = None, *, known: bool = True) -> float | None:
    """The cost in USD, or None when the model has no known price; `known` says whether the table counts.

    Overrides go before the table. A name covers its dated snapshots too (`claude-opus-5-20260724`), never a model of
    another version; of the table's names, a vendor's prefix (`anthropic/`, `openai/`) is ignored.
    """
    own = _match(model, overrides) if overrides else None
    if overrides and own is not None:
        return overrides[own].of(usage)
    name = _listed(model) if known else None
    if name is None:
        return None
    threshold, price = LONG_PROMPTS.get(name, (0, TABLE[name]))
    return (price if _prompt(usage) > threshold else TABLE[name]).of(usage)


@lru_cache(maxsize=256)
def _listed(model: str) -> str | None:
    """The name in the table that covers the model; remembered, because every turn asks."""
    return _match(_without_vendor(model), TABLE)


def _without_vendor(model: str) -> str:
    place = model.find("claude-")
    return model[place:] if place >= 0 else model.rpartition("/")[2]


def _match(model: str, names: Mapping[str, Price]) -> str | None:
    if model in names:
        return model
    fitting = (name for name in names if model.startswith(name) and _SNAPSHOT.fullmatch(model, len(name)))
    return max(fitting, key=len, default=None)


def _prompt(usage: Usage) -> int:
    return usage.input + usage.cache_write + usage.cache_write_1h + usage.cache_read
