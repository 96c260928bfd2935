"""What an object of a tree is told from its earlier state by: the fingerprint of all that decides about it."""

from __future__ import annotations

import json
from dataclasses import replace
from hashlib import sha256
from typing import Any

from headgate.compile.draft import Item
from headgate.manifest.tree import Tree

_encode = json.JSONEncoder(sort_keys=True, default=str).encode


def digest_of(value: Any) -> str:
    """The SHA-256 over the value as JSON, in hexadecimal; the order of keys does not matter."""
    return sha256(_encode(value).encode("utf-8", "surrogatepass")).hexdigest()


def owned(item: Item, team: str | None) -> Item:
    """The item, which is another one for another team."""
    return replace(item, team=team, fingerprint=digest_of([item.fingerprint, team])) if team is not None else item


def with_files(item: Item, tree: Tree) -> Item:
    """The item with the bytes of the files that it reads in its fingerprint."""
    if not item.files:
        return item
    digests = [sha256(tree.files.get(name, b"")).hexdigest() for name in item.files]
    return replace(item, fingerprint=digest_of([item.fingerprint, digests]))
