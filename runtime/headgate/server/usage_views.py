"""Sums of usage as they are shown: as JSON, as CSV, and at the command line."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

import msgspec

from headgate.core.messages import Usage
from headgate.stores.usage import UsageFilter, UsageSum

_TOKENS = ("input", "output", "cache_write", "cache_write_1h", "cache_read", "reasoning")
COLUMNS = ("name", "turns", "broken_turns", "unpriced_turns", *_TOKENS, "total", "cost_usd")
"""The columns of the CSV."""
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


class Tokens(msgspec.Struct):
    """Tokens by class, as they are billed; `reasoning` is part of `output`, `total` is all but that."""

    input: int
    output: int
    cache_write: int
    cache_write_1h: int
    cache_read: int
    reasoning: int
    total: int


class UsageItem(msgspec.Struct):
    """What the turns of one group used, with the `broken_turns` that were broken off. `cost_usd` leaves out
    `unpriced_turns`, whose models have no known price."""

    name: str
    turns: int
    broken_turns: int
    unpriced_turns: int
    tokens: Tokens
    cost_usd: float


class UsageReport(msgspec.Struct, kw_only=True):
    """The sums of each group and of all, between two times in epoch seconds; without `group_by` there are no items."""

    since: float = msgspec.field(name="from")
    until: float = msgspec.field(name="to")
    group_by: str | None
    items: list[UsageItem]
    total: UsageItem
    next: str | None = None


def usage_report(wanted: UsageFilter, sums: Sequence[UsageSum]) -> UsageReport:
    """The report on what was added up."""
    total = UsageItem(
        "total", sum(each.turns for each in sums), sum(each.broken for each in sums),
        sum(each.unpriced for each in sums),
        _tokens(sum((each.usage for each in sums), Usage())), _usd(sum(each.cost for each in sums)),
    )  # fmt: skip
    items = [_item(each) for each in sums] if wanted.group else []
    return UsageReport(since=wanted.since, until=wanted.until, group_by=wanted.group, items=items, total=total)


def as_csv(report: UsageReport) -> str:
    """A line for each item, and one for the total; no name is taken for a formula by those who open it."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for each in (*report.items, report.total):
        name = f"'{each.name}" if each.name.startswith(_FORMULA) else each.name
        tokens = [getattr(each.tokens, column) for column in (*_TOKENS, "total")]
        writer.writerow([name, each.turns, each.broken_turns, each.unpriced_turns, *tokens, f"{each.cost_usd:.6f}"])
    return out.getvalue()


def _item(each: UsageSum) -> UsageItem:
    return UsageItem(each.name, each.turns, each.broken, each.unpriced, _tokens(each.usage), _usd(each.cost))


def _tokens(usage: Usage) -> Tokens:
    return Tokens(**{name: getattr(usage, name) for name in _TOKENS}, total=usage.total)


def _usd(cost: float) -> float:
    """Without the noise of adding floats: a ten-millionth of a dollar is the smallest price of a token."""
    return round(cost, 9)
