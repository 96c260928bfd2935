"""`headgate usage`: what the model turns of a tree used, and what that cost."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import get_args

import click
import msgspec
from rich.console import Console
from rich.table import Table

from headgate.cli.form import formatted
from headgate.cli.render.words import visible
from headgate.cli.store import find_store, stored
from headgate.server.times import moment
from headgate.server.usage import DAYS
from headgate.server.usage_views import UsageItem, UsageReport, as_csv, usage_report
from headgate.stores.sql.beside import open_books
from headgate.stores.usage import Group, UsageFilter


@click.command("usage")
@stored
@click.option("--by", type=click.Choice(get_args(Group)), default="agent", help="What is summed.")
@click.option("--key", help="Only the turns of this key.")
@click.option("--from", "since", metavar="TIME", help="From when on; thirty days ago when it is not given.")
@click.option("--to", "until", metavar="TIME", help="Until before when; now when it is not given.")
@formatted("text", "json", "csv")
def usage_command(
    tree: Path | None, store: str | None, by: Group, key: str | None, form: str, *, since: str | None, until: str | None
) -> None:
    """Say what the model turns of TREE used, and what that cost; a gateway may be serving it."""
    end = moment(until, "--to") or time.time()
    start = moment(since, "--from")
    wanted = UsageFilter(since=end - DAYS * 86400 if start is None else start, until=end, key=key, group=by)
    report = asyncio.run(_report(tree, store, wanted))
    if form == "json":
        click.echo(msgspec.json.format(msgspec.json.encode(report)).decode())
    elif form == "csv":
        click.echo(as_csv(report), nl=False)
    else:
        _print(report)


async def _report(tree: Path | None, store: str | None, wanted: UsageFilter) -> UsageReport:
    with open_books((await find_store(tree, store)).path) as books:
        return usage_report(wanted, await books.usage(wanted))


def _print(report: UsageReport) -> None:
    table = Table(box=None, pad_edge=False, header_style="")
    for name in (report.group_by or "", "turns", "input", "cached", "output", "cost"):
        table.add_column(name, justify="left" if name == report.group_by else "right", no_wrap=True)
    for each in (*report.items, report.total):
        table.add_row(*_cells(each))
    Console(highlight=False, markup=False, soft_wrap=True).print(table)
    if report.total.unpriced_turns:
        click.echo(f"{report.total.unpriced_turns} turns of models without a known price are not in the cost")


def _cells(each: UsageItem) -> tuple[str, ...]:
    tokens = each.tokens
    paid = tokens.input + tokens.cache_write + tokens.cache_write_1h
    counts = (f"{count:,}" for count in (each.turns, paid, tokens.cache_read, tokens.output))
    return (visible(each.name), *counts, f"${each.cost_usd:,.4f}")
