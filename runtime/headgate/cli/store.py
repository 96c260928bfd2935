"""The ledger of a tree, for commands that work on it without a gateway."""

from __future__ import annotations

import contextlib
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import click

from headgate.boot import Place
from headgate.compile.compiler import Compiled
from headgate.compile.keyring import compile_tree
from headgate.core.errors import ConfigError
from headgate.kinds import DEFAULT_KINDS
from headgate.manifest.diagnostics import render_text
from headgate.settings import Settings
from headgate.state import own_ledger
from headgate.stores import ledger_path, open_ledger
from headgate.stores.port import Ledger


@dataclass(frozen=True, slots=True)
class Store:
    """Where the ledger is: the URL as it is written, what it is relative to, and the file that it names."""

    url: str
    root: Path
    path: Path

    @classmethod
    def at(cls, url: str, root: Path) -> Store:
        """The ledger that the URL names; raises `ConfigError` when it is not in a file."""
        path = ledger_path(url, root)
        if path is None:
            raise ConfigError("a ledger in memory is gone when its gateway is", hint="set [store] url to a file")
        return cls(url, root, path)

    @contextlib.asynccontextmanager
    async def opened(self) -> AsyncIterator[Ledger]:
        """The ledger, for this process alone; raises `ConfigError` while a gateway runs on it, or without a file."""
        if not self.path.is_file():
            raise ConfigError(f"there is no ledger at {self.path}", hint="it is made when the tree is first served")
        with own_ledger(self.path):
            async with open_ledger(self.url, self.root) as ledger:
                yield ledger


async def read_tree(tree: Path | None) -> Compiled:
    """The tree, or that of the settings, as far as it can be read."""
    settings = Settings()
    root = (tree or settings.tree).resolve()
    if not root.is_dir():
        raise ConfigError(f"there is no folder {root}", hint="name the tree")
    place = Place(root, host=settings.host, port=settings.port, environ=dict(os.environ))
    return await compile_tree(root, DEFAULT_KINDS, place.environment())


def store_of(compiled: Compiled) -> Store:
    """The ledger that the tree names, whatever else is wrong with it; raises `ConfigError` when that is not known."""
    draft = compiled.draft
    if draft.gateway is None or not draft.knows("store", "url"):
        wrong = render_text(each for each in compiled.shown if each.path == "gateway.toml")
        raise ConfigError(f"gateway.toml does not say where the ledger is\n{wrong}".rstrip())
    return Store.at(draft.gateway.store.url, draft.tree.root)


async def find_store(tree: Path | None, url: str | None) -> Store:
    """The ledger at the URL, or the one that the tree names."""
    if url is not None:
        return Store.at(url, (tree or Settings().tree).resolve())
    return store_of(await read_tree(tree))


def stored(command: click.decorators.FC) -> click.decorators.FC:
    """Adds the argument and the option that say which ledger is meant."""
    for each in (
        click.argument("tree", type=click.Path(file_okay=False, path_type=Path), required=False),
        click.option("--store", metavar="URL", help="The ledger, in place of [store] url of the tree."),
    ):
        command = each(command)
    return command
