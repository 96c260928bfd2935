"""`headgate audit`: whether the audit log of a tree is still what was written, and a copy of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import click
import msgspec

from headgate.cli.form import FORMAT, as_json, formatted
from headgate.cli.render.otlp import otlp_line
from headgate.cli.store import find_store, stored
from headgate.server.audit import read_link, verified
from headgate.server.times import moment
from headgate.stores.audit import AuditRecord
from headgate.stores.chain import Verdict, verify
from headgate.stores.sql.beside import Books, open_books

_PAGE = 500


@click.group("audit")
def audit() -> None:
    """Look after the audit log: who did what, as a chain of records."""


@audit.command("verify")
@stored
@click.option("--head", metavar="N:HASH", help="A head that the log had earlier; it must still be in the log.")
@FORMAT
@click.pass_context
def verify_command(context: click.Context, tree: Path | None, store: str | None, head: str | None, form: str) -> None:
    """Walk the audit log of TREE: exit 1 at the first record that is not as it was written.

    A gateway may be serving it. That the end of the log is missing is seen only with --head.
    """
    found = asyncio.run(_verdict(tree, store, head))
    if form == "json":
        click.echo(as_json(msgspec.to_builtins(verified(found))))
    else:
        click.echo(_sentence(found))
    context.exit(0 if found.broken is None else 1)


async def _verdict(tree: Path | None, store: str | None, head: str | None) -> Verdict:
    known = read_link(head)
    with open_books((await find_store(tree, store)).path) as books:
        return await verify(books, known)


def _sentence(found: Verdict) -> str:
    if found.broken is not None:
        return f"broken at record {found.broken}: {found.reason}"
    if not found.head.n:
        return "the audit log is empty"
    start = f"; records up to {found.anchor.n} were trimmed" if found.anchor.n else ""
    return f"{found.records} records are in order{start}\nhead {found.head.n}:{found.head.hash}"


@audit.command()
@stored
@click.option("--from", "since", metavar="TIME", help="Only records from this time on.")
@click.option("--to", "until", metavar="TIME", help="Only records until before this time.")
@formatted("jsonl", "otlp")
def export(tree: Path | None, store: str | None, since: str | None, until: str | None, form: str) -> None:
    """Print the audit log of TREE, oldest first, a JSON object on each line; a gateway may be serving it.

    With --format otlp each line is an OpenTelemetry log in the JSON encoding of OTLP.
    """
    show = otlp_line if form == "otlp" else line
    asyncio.run(_export(tree, store, moment(since, "--from"), moment(until, "--to"), show))


async def _export(
    tree: Path | None, store: str | None, since: float | None, until: float | None, show: Callable[[AuditRecord], str]
) -> None:
    with open_books((await find_store(tree, store)).path) as books:
        async for record in _records(books, since):
            if (since is None or record.entry.at >= since) and (until is None or record.entry.at < until):
                click.echo(show(record))


async def _records(books: Books, since: float | None) -> AsyncIterator[AuditRecord]:
    after = 0 if since is None else await books.audit_place(since)
    while page := await books.audit_chain(after, _PAGE):
        for record in page:
            yield record
        after = page[-1].n


def line(record: AuditRecord) -> str:
    """A record in one line. The entry is the text that was hashed, byte for byte."""
    return f'{{"n":{record.n},"prev":"{record.prev}","hash":"{record.hash}","entry":{record.text}}}'
