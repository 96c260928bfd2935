"""Documents that were made through the API stand in the body of `gateway.toml` as if they were written there.

So they are compiled by the same checks, and every finding in them has its place in the document that it is about. What
the tree declares itself is never replaced. Values are what they say: references are not resolved, since whoever may
make a document must not be able to send the gateway's own environment somewhere.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import reduce
from typing import Any

from headgate.core.kind import Finding, Key
from headgate.manifest.references import Resolved
from headgate.manifest.rendered import rendered
from headgate.manifest.source import Document

_PRIVATE: Mapping[Key, tuple[str, ...]] = {("mcp", "servers"): ("env", "headers", "auth")}
"""Members, by table, whose texts are taken for secrets whatever they are."""
_PUBLIC = ("type", "header", "token_url", "scopes", "auth_method")
"""Keys of these whose texts are not."""


@dataclass(frozen=True, slots=True)
class OverlayDocument:
    """One document: an entry of the table of `gateway.toml` whose dotted name is its `kind`.

    `by` is the principal that changed it last, at `at`. `revision` counts its own changes, from 1. `fault` says why it
    cannot be used, if so.
    """

    kind: str
    name: str
    body: dict[str, Any] = field(repr=False)
    revision: int = 1
    by: str = ""
    at: float = 0.0
    created_by: str = ""
    created_at: float = 0.0
    fault: str = ""

    @property
    def path(self) -> str:
        """What findings call it."""
        return f"overlay:{self.kind}.{self.name}"

    @property
    def key(self) -> Key:
        """Where it stands in the gateway's body."""
        return (*self.kind.split("."), self.name)


@dataclass(frozen=True, slots=True)
class Overlay:
    """All documents of one generation."""

    generation: int = 0
    documents: tuple[OverlayDocument, ...] = ()

    def get(self, kind: str, name: str) -> OverlayDocument | None:
        """The document, or None."""
        return next((each for each in self.documents if (each.kind, each.name) == (kind, name)), None)

    def of(self, kind: str) -> list[OverlayDocument]:
        """The documents of one kind, by name."""
        return [each for each in self.documents if each.kind == kind]

    def changed(self, kind: str, name: str, document: OverlayDocument | None) -> Overlay:
        """With this document in the place of the one that has its name, or without it."""
        others = [each for each in self.documents if (each.kind, each.name) != (kind, name)]
        documents = [*others, *([document] if document is not None else [])]
        return Overlay(self.generation, tuple(sorted(documents, key=lambda each: (each.kind, each.name))))

    def without(self, paths: Collection[str]) -> Overlay:
        """The same generation without the documents of these paths."""
        return Overlay(self.generation, tuple(each for each in self.documents if each.path not in paths))


NO_OVERLAY = Overlay()


@dataclass(frozen=True, slots=True)
class Laid:
    """A document of the tree with the overlay on it: its body as written and as resolved, and the documents that the
    tree hides because it declares the same name."""

    document: Document
    resolved: Resolved
    hidden: tuple[OverlayDocument, ...]


def lay(overlay: Overlay, document: Document, resolved: Resolved) -> Laid:
    """Lays the overlay on `gateway.toml`; tables that the file has in the wrong form stay as they are."""
    hidden = tuple(each for each in overlay.documents if _at(document.body, each.key) is not None)
    over = [each for each in overlay.documents if each not in hidden and _fits(document.body, each.key[:-1])]
    if not over:
        return Laid(document, resolved, hidden)
    parts = {each.key: rendered(each.path, each.body) for each in over}
    bodies = {each.key: each.body for each in over}
    body = reduce(_put, bodies.items(), document.body)
    values = reduce(_put, bodies.items(), resolved.body)
    return Laid(replace(document, body=body, parts=parts), replace(resolved, body=values), hidden)


def hidden_by_tree(hidden: Iterable[OverlayDocument]) -> Iterator[Finding]:
    """A warning for each document that has no effect."""
    for each in hidden:
        message = f"{'.'.join(map(str, each.key))} is declared here and by the API ({each.path}); the tree's counts"
        yield Finding(each.key, "HG1203", message, "remove it here, or delete the other one", severity="warning")


def referring(document: Document) -> Iterator[Finding]:
    """An error for each text of an overlay document that would be a reference in a file."""
    for key, part in document.parts.items():
        for path, text in _texts(part.body, key):
            if "${" in text:
                hint = "write the value itself, or declare the object in the tree"
                yield Finding(path, "HG1101", "references are read in the tree only, not in what the API makes", hint)


def private(document: Document) -> Iterator[tuple[Key, str]]:
    """Every text of an overlay document that is encrypted and never shown, besides what a spec declares secret."""
    for key, part in document.parts.items():
        for member in _PRIVATE.get(key[:-1], ()):
            held = part.body.get(member) if isinstance(part.body, dict) else None
            for path, text in _texts(held, (*key, member)):
                if not any(each in _PUBLIC for each in path[len(key) :]):
                    yield path, text


def texts_of(document: OverlayDocument) -> Iterator[str]:
    """The texts of a document that are never shown, whether it is laid or not."""
    for member in _PRIVATE.get(document.key[:-1], ()):
        for path, text in _texts(document.body.get(member), ()):
            if not any(each in _PUBLIC for each in path):
                yield text


def _texts(value: Any, key: Key) -> Iterator[tuple[Key, str]]:
    if isinstance(value, str):
        yield key, value
    elif isinstance(value, dict | list):
        for part, each in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _texts(each, (*key, part))


def _at(body: Any, key: Key) -> Any:
    for part in key:
        body = body.get(part) if isinstance(body, dict) else None
    return body


def _fits(body: Any, table: Key) -> bool:
    """Whether the table is one, or could be made."""
    for part in table:
        if not isinstance(body, dict):
            return False
        body = body.get(part, {})
    return isinstance(body, dict)


def _put(body: Any, entry: tuple[Key, Mapping[str, Any]]) -> Any:
    """A copy of the body with one more entry; what is not on the way is shared."""
    key, value = entry
    if not key:
        return value
    held = body if isinstance(body, dict) else {}
    return {**held, key[0]: _put(held.get(key[0], {}), (key[1:], value))}
