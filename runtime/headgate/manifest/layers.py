"""The files of `gateway.d` laid over `gateway.toml`, in the order of their names: one document with their places.

An object of a table, such as a key or a policy, stands in one file alone. A limit may be stated again, and only be made
smaller. A file with a `team` may hold keys, approvals and interceptors of that team, and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Any

from pydantic_core import PydanticCustomError

from headgate.core.kind import Key
from headgate.core.scalars import octets, seconds
from headgate.manifest.diagnostics import Diagnostic
from headgate.manifest.source import Document, Node

OBJECTS: frozenset[Key] = frozenset(
    {
        ("auth", "keys"), ("providers",), ("models",), ("secrets",), ("interceptors",), ("approvals",),
        ("mcp", "servers"), ("heartbeats",), ("deliveries",),
    }
)  # fmt: skip
"""Tables of objects by name."""
LIMITS: frozenset[Key] = frozenset(
    {("limits",), ("server", "limits"), *(("budgets", each) for each in ("per_key", "per_team", "per_session"))}
)
"""Tables of numbers that a later file may state again."""
NO_LIMITS = frozenset({"window"})
"""Keys of them of which neither more nor less is stricter by itself."""
TEAM: frozenset[Key] = frozenset({("auth", "keys"), ("interceptors",), ("approvals",)})
"""Tables of objects that belong to a team when their file does."""
_TIGHTEN = "a layer may only tighten"


@dataclass(frozen=True, slots=True)
class Stated:
    """One place where a value is stated."""

    place: str
    value: Any


@dataclass(frozen=True, slots=True)
class Layers:
    """`document` is all files together; `files` and `teams` say of objects in which file they stand, and whose they
    are. `stated` has every place of a limit that is stated more than once, the outermost first."""

    document: Document
    diagnostics: tuple[Diagnostic, ...] = ()
    files: dict[Key, str] = field(default_factory=dict)
    teams: dict[Key, str] = field(default_factory=dict)
    stated: dict[Key, tuple[Stated, ...]] = field(default_factory=dict)
    layered: bool = False


def merged(documents: Sequence[Document]) -> Layers:
    """The documents as one; the first is `gateway.toml`, the others are in the order of their names."""
    if len(documents) == 1:
        return Layers(documents[0], files={key: documents[0].path for key, _ in _objects(documents[0].body)})
    merge = _Merge()
    for document in documents:
        merge.add(document, layer=document is not documents[0])
    return merge.layers(documents[0].path)


class _Merge:
    def __init__(self) -> None:
        self._body: dict[str, Any] = {}
        self._root = Node(0)
        self._text = ""
        self._parts: list[tuple[int, str]] = []
        self._digests: list[str] = []
        self._found: list[Diagnostic] = []
        self._files: dict[Key, str] = {}
        self._teams: dict[Key, str] = {}
        self._stated: dict[Key, tuple[Stated, ...]] = {}

    def add(self, document: Document, *, layer: bool) -> None:
        """Lays one more file over those before."""
        base, self._text = len(self._text), self._text + document.text + "\n"
        self._parts.append((self._text.count("\n", 0, base) + 1, document.path))
        self._digests.append(document.digest)
        body, node = document.body if isinstance(document.body, dict) else {}, _shifted(document.root, base)
        team = None
        if layer:
            body, team = self._of_team(document, dict(body))
        self._lay(self._body, self._root, body, node, ())
        for key, _ in _objects(body):
            if self._files.setdefault(key, document.path) == document.path and team is not None:
                self._teams[key] = team

    def layers(self, path: str) -> Layers:
        """What has come of it."""
        digest = sha256("".join(self._digests).encode()).hexdigest()
        document = Document(
            path, "toml", self._body, digest, _text=self._text, _root=self._root, _parts=tuple(self._parts)
        )
        return Layers(document, tuple(self._found), self._files, self._teams, self._stated, layered=True)

    # -- one file over the others ------------------------------------------------------------------------------------

    def _lay(self, below: dict[str, Any], under: Node, body: dict[str, Any], node: Node, at: Key) -> None:
        for name, value in body.items():
            key, held = (*at, name), below.get(name)
            if name not in below:
                below[name] = _copied(value)
                _put(under, node, name)
            elif isinstance(held, dict) and isinstance(value, dict) and at not in OBJECTS:
                self._lay(held, under.children[name], value, node.children[name], key)
            elif at in LIMITS and name not in NO_LIMITS:
                self._tighten(below, under, value, node, key)
            elif not (name.startswith("x-") or (key == ("version",) and held == value)):
                said = f"{_dotted(key)} is stated in {self._place(under, name)} already"
                self._report(node, name, "HG1203", said, "state it in one file, under one name")

    def _tighten(self, below: dict[str, Any], under: Node, value: Any, node: Node, key: Key) -> None:
        name = str(key[-1])
        first, old = self._place(under, name), below[name]
        before, after = _number(old), _number(value)
        if before is None or after is None:
            said = f"{_dotted(key)} is stated in {first} already, and the two cannot be compared"
            self._report(node, name, "HG1203", said, "write plain values, or state it once")
        elif after > before:
            self._report(node, name, "HG1401", f"{_dotted(key)} is {value}, but {first} says {old}", _TIGHTEN)
        else:
            told = self._stated.get(key, (Stated(first, old),))
            self._stated[key] = (*told, Stated(self._place(node, name), value))
            below[name] = value
            _put(under, node, name)

    def _of_team(self, document: Document, body: dict[str, Any]) -> tuple[dict[str, Any], str | None]:
        """The file's own tables, and whose they are; what a team's file may not hold is reported and left out."""
        team = body.pop("team", None)
        if team is None:
            return body, None
        if not isinstance(team, str) or not team:
            span = document.value_span(("team",))
            said = "'team' must be the name of a team"
            self._found.append(Diagnostic(document.path, *span, "error", "HG1004", said, 'write team = "support"'))
            return {}, None
        own = _narrowed(body, (), lambda key: self._foreign(document, key, team))
        self._owned(document, own, team)
        return own, team

    def _owned(self, document: Document, body: dict[str, Any], team: str) -> None:
        """Keys of a team's file belong to the team."""
        auth = body.get("auth")
        keys = auth.get("keys") if isinstance(auth, dict) else None
        for name, raw in keys.items() if isinstance(keys, dict) else ():
            if isinstance(raw, dict) and raw.get("team", team) != team:
                key = ("auth", "keys", name, "team")
                said = f"the file belongs to team {team!r}, and key {name!r} would belong to {raw['team']!r}"
                span = document.value_span(key)
                self._found.append(Diagnostic(document.path, *span, "error", "HG1401", said, "leave 'team' out"))
        if isinstance(keys, dict):
            owned = {name: {**raw, "team": team} if isinstance(raw, dict) else raw for name, raw in keys.items()}
            body["auth"] = {**auth, "keys": owned} if isinstance(auth, dict) else auth

    def _foreign(self, document: Document, key: Key, team: str) -> None:
        hint = (
            "a team's file may hold auth.keys, approvals and interceptors; the rest belongs into a file without 'team'"
        )
        said = f"{_dotted(key)} is not an object of team {team!r}"
        self._found.append(Diagnostic(document.path, *document.key_span(key), "error", "HG1401", said, hint))

    # -- places ------------------------------------------------------------------------------------------------------

    def _place(self, node: Node, name: str) -> str:
        path, span = self._document.spot_of(node.keys.get(name, node.start))
        return f"{path}:{span.line}:{span.column}"

    def _report(self, node: Node, name: str, code: str, message: str, hint: str) -> None:
        path, span = self._document.spot_of(node.keys.get(name, node.start))
        self._found.append(Diagnostic(path, *span, "error", code, message, hint))

    @property
    def _document(self) -> Document:
        return Document("", "toml", None, "", _text=self._text, _parts=tuple(self._parts))


def _narrowed(body: dict[str, Any], at: Key, foreign: Callable[[Key], None]) -> dict[str, Any]:
    """The tables that a team's file may hold."""
    out: dict[str, Any] = {}
    for name, value in body.items():
        key = (*at, name)
        above = any(table[: len(key)] == key for table in TEAM)
        if name.startswith("x-") or key in TEAM:
            out[name] = value
        elif above and isinstance(value, dict):
            out[name] = _narrowed(value, key, foreign)
        else:
            foreign(key)
    return out


def _objects(body: Any) -> Iterator[tuple[Key, Any]]:
    """Every object of a file, by its key."""
    for table in OBJECTS:
        held = body
        for part in table:
            held = held.get(part) if isinstance(held, dict) else None
        yield from (((*table, name), raw) for name, raw in held.items()) if isinstance(held, dict) else ()


def _copied(value: Any) -> Any:
    """Tables that another file may add to are not those of the first file."""
    return {name: _copied(each) for name, each in value.items()} if isinstance(value, dict) else value


def _shifted(node: Node, base: int) -> Node:
    return replace(
        node,
        start=node.start + base,
        keys={name: at + base for name, at in node.keys.items()},
        children={name: _shifted(each, base) for name, each in node.children.items()},
    )


def _put(under: Node, node: Node, name: str) -> None:
    if name in node.keys:
        under.keys[name] = node.keys[name]
    if name in node.children:
        under.children[name] = node.children[name]


def _number(value: Any) -> float | None:
    """A limit as a number: plain, a size in bytes, or a duration in seconds."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    if isinstance(value, int | float):
        return float(value)
    for read in (octets, seconds):
        try:
            return float(read(value))
        except PydanticCustomError:
            continue
    return None


def _dotted(key: Key) -> str:
    return ".".join(map(str, key))
