"""Every kind of interceptor keeps the contracts of the family."""

from __future__ import annotations

from typing import Any

import pytest

from headgate.interceptors import INTERCEPTORS
from headgate.testing.interceptor_kit import check_innocent, opened

TABLES: dict[str, dict[str, Any]] = {
    "audit": {"arguments": "full", "results": "hash", "turns": "full"},
    "budget": {"usd": 100.0, "calls": 1000},
    "cache": {},
    "guard": {"on": ["input", "output", "arguments", "results"], "patterns": ["bomb"]},
    "rate_limit": {"limit": "1000/s"},
    "redact": {"detect": ["email", "credit_card", "private_key"], "patterns": {"ticket": r"TICKET-\d+"}},
    "retry": {},
    "secrets_scan": {},
    "taint": {},
    "transform": {"arguments": "@"},
    "truncate": {"max": "1KiB", "max_items": 10, "max_depth": 5},
}
ELSEWHERE = {"webhook"}
"""Kinds that need a server; their own tests have one."""


@pytest.mark.parametrize("name", sorted(TABLES))
async def test_the_innocent_pass(name: str) -> None:
    """What nothing is wrong with passes unchanged, side by side, and can be cancelled at any time."""
    async with opened(INTERCEPTORS[name], TABLES[name]) as interceptor:
        await check_innocent(interceptor)


def test_every_kind_is_tested() -> None:
    """A new kind is in this test, or has its own."""
    assert set(TABLES) | ELSEWHERE == set(INTERCEPTORS)
