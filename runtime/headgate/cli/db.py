"""`headgate db`: the ledger itself: what it holds, a copy of it, and its schema."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import click

from headgate.cli.form import FORMAT, print_as
from headgate.cli.store import Store, find_store, stored
from headgate.stores.sql.copying import copy, new_file
from headgate.stores.sql.facts import Facts, read_facts
from headgate.stores.sql.schema import HEAD

_UNITS = ("bytes", "KiB", "MiB", "GiB")


@click.group("db")
def db() -> None:
    """Look after the ledger, in which sessions and runs are kept."""


@db.command()
@stored
@FORMAT
def info(tree: Path | None, store: str | None, form: str) -> None:
    """Say what the ledger of TREE holds; a gateway may be serving it."""
    found = asyncio.run(find_store(tree, store))
    facts = read_facts(found.path)
    runs = ", ".join(f"{count} {state}" for state, count in facts.runs.items()) or "none"
    newest = "the newest of this build" if facts.schema == HEAD else f"this build has {HEAD}"
    rows = {
        "ledger": str(found.path), "schema": f"{facts.schema}, {newest}", "size": _size(facts.size),
        "sessions": str(facts.sessions), "runs": runs, "waits": f"{facts.waits} pending",
    }  # fmt: skip
    print_as(form, _told(found, facts), "\n".join(f"{name:<9} {value}" for name, value in rows.items()))


@db.command()
@click.argument("file", type=click.Path(path_type=Path))
@stored
@FORMAT
def backup(file: Path, tree: Path | None, store: str | None, form: str) -> None:
    """Copy the ledger of TREE to FILE, which must not exist; a gateway may be serving it.

    The copy is a whole ledger of one moment, with the schema that it had, and is readable by its owner alone.
    """
    found = asyncio.run(find_store(tree, store))
    read_facts(found.path)
    with new_file(file):
        copy(found.path, file)
        facts = read_facts(file)
    told = {"file": str(file), "schema": facts.schema, "size": facts.size}
    print_as(form, told, f"wrote {file}: {_size(facts.size)}, schema {facts.schema}")


@db.command()
@stored
@FORMAT
def upgrade(tree: Path | None, store: str | None, form: str) -> None:
    """Bring the ledger of TREE to the schema of this build; no gateway may be serving it.

    A gateway does the same when it starts.
    """
    before, after = asyncio.run(_upgraded(tree, store))
    text = f"schema {before} is the newest already" if before == after else f"schema {before} became {after}"
    print_as(form, {"from": before, "to": after}, text)


async def _upgraded(tree: Path | None, url: str | None) -> tuple[str, str]:
    store = await find_store(tree, url)
    before = read_facts(store.path).schema
    async with store.opened():
        pass
    return before, read_facts(store.path).schema


def _told(store: Store, facts: Facts) -> dict[str, Any]:
    return {
        "ledger": str(store.path), "schema": facts.schema, "newest_schema": HEAD, "size": facts.size,
        "sessions": facts.sessions, "runs": facts.runs, "pending_waits": facts.waits,
    }  # fmt: skip


def _size(count: float) -> str:
    for unit in _UNITS[:-1]:
        if count < 1024:
            return f"{count:.0f} {unit}" if unit == "bytes" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} {_UNITS[-1]}"
