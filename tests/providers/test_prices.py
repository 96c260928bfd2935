"""What tokens cost."""

from __future__ import annotations

import pytest

from headgate.core.messages import Usage
from headgate.providers.prices import Price, cost

MILLION = Usage(input=1_000_000)
SHORT = Usage(input=100_000)
ALL = Usage(input=1_000_000, output=1_000_000, cache_write=1_000_000, cache_write_1h=1_000_000, cache_read=1_000_000)


@pytest.mark.parametrize(
    ("model", "dollars"),
    [
        ("claude-opus-5", 5.0),
        ("claude-opus-5-5", 4.0),
        ("claude-opus-4-6", 5.0),
        ("claude-opus-4-1-20250805", 15.0),
        ("claude-haiku-4-5-20251001", 1.0),
        ("claude-sonnet-5-latest", 2.0),
        ("anthropic/claude-sonnet-4-6", 3.0),
        ("us.anthropic.claude-opus-4-8", 5.0),
        ("claude-opus-5-9", None),
        ("gpt-6", None),
        ("gpt-6.2-sol", 2.0),
        ("gpt-6.1-sol-2026-09-29", 2.0),
        ("openai/gpt-5.4-mini-2026-03-17", 0.75),
        ("gpt-5-mini", 0.25),
        ("gpt-5-chat-latest", None),
        ("gpt-5.9", None),
        ("google/gemini-3-pro", None),
    ],
)
def test_table(model: str, dollars: float | None) -> None:
    """A name covers its snapshots and no other version; an unknown model has no price."""
    price = cost(model, SHORT)
    assert price == (None if dollars is None else pytest.approx(dollars / 10))


def test_classes() -> None:
    """Cache writes cost 1.25 and 2 times the input, reads a tenth, and no token is counted twice."""
    assert cost("claude-opus-5", ALL) == pytest.approx(5 + 25 + 6.25 + 10 + 0.5)


def test_cheaper_reads() -> None:
    """A model may have its own price of cache reads."""
    assert cost("claude-opus-5-5", Usage(cache_read=1_000_000)) == pytest.approx(0.20)


def test_long_prompts() -> None:
    """A prompt beyond the threshold costs more, its cached part counted in."""
    assert cost("claude-haiku-5-5", Usage(input=100_000)) == pytest.approx(0.01)
    assert cost("claude-haiku-5-5", Usage(input=50_000, cache_read=50_001)) == pytest.approx(0.02750005)


def test_long_gpt_prompts() -> None:
    """Beyond 272,000 tokens a whole request costs OpenAI's customers twice the input and 1.5 times the output."""
    short = Usage(input=72_000, output=1000, cache_write=100_000, cache_read=100_000)
    assert cost("gpt-6.2-sol", short) == pytest.approx(0.144 + 0.01 + 0.25 + 0.01)
    long = Usage(input=72_001, output=1000, cache_write=100_000, cache_read=100_000)
    assert cost("gpt-6.2-sol", long) == pytest.approx(2 * (0.144002 + 0.25 + 0.01) + 0.015)


def test_gpt_cache_writes() -> None:
    """Writing for 12 hours costs twice what 30 minutes cost; older models charge it as plain input."""
    writes = Usage(cache_write=1000, cache_write_1h=1000)
    assert cost("gpt-6.2-sol", writes) == pytest.approx(0.0025 + 0.005)
    assert cost("gpt-4o", writes) == pytest.approx(2 * 0.0025)


def test_table_left_out() -> None:
    """A server that only borrows a name has no prices but the manifest's."""
    assert cost("gpt-5", MILLION, known=False) is None
    assert cost("gpt-5", MILLION, {"gpt-5": Price(input=7, output=7)}, known=False) == 7.0


def test_overrides() -> None:
    """A manifest's prices go first, for known and unknown models, with the usual ratios where it is silent."""
    prices = {"claude-opus-5": Price(input=1, output=2, cache_write=3, cache_read=4), "own": Price(input=10, output=20)}
    assert cost("claude-opus-5", ALL, prices) == pytest.approx(1 + 2 + 3 + 4.8 + 4)
    longer = {"own": Price(input=1, output=1, cache_write_1h=9)}
    assert cost("own", Usage(cache_write_1h=1_000_000), longer) == pytest.approx(9)
    assert cost("own", ALL, prices) == pytest.approx(10 + 20 + 12.5 + 20 + 1)
    assert cost("claude-sonnet-5", MILLION, prices) == 2.0
