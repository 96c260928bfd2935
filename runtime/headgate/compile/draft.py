"""What a tree says, as typed objects, each with the place where it stands; nothing is opened and nothing decided."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from headgate.compile.aside import SERVERS, Aside
from headgate.compile.decode import covers
from headgate.compile.overlay import NO_OVERLAY, Overlay, OverlayDocument
from headgate.compile.specs import Agent, Gateway
from headgate.core.errors import ConfigError
from headgate.core.kind import Env, Finding, Key, Kind, Kinds
from headgate.manifest.diagnostics import Diagnostic
from headgate.manifest.layers import Layers
from headgate.manifest.source import Document, Span
from headgate.manifest.tree import Tree
from headgate.mcp.spec import ServerSpec
from headgate.secrets.reference import SecretRef

_AT_KEY = frozenset({"HG1003", "HG1005", "HG1006", "HG1007", "HG1205", "HG1206", "HG1403"})
_OF_VALUE = (("kind",), ("url",), ("warm",), ("mode",))
"""Keys that are in order themselves when their value is not in this build."""


def _as_written(_key: Key, offset: int) -> int:
    return offset


@dataclass(frozen=True, slots=True)
class Site:
    """Where an object stands: its document, the path of its key, and how offsets in resolved scalars are written.

    `silent` are the keys of the document that have been reported already or whose value is not known. The keys of an
    object that is written elsewhere (`whole`) cannot be pointed at.
    """

    document: Document
    key: Key = ()
    written: Callable[[Key, int], int] = _as_written
    silent: frozenset[Key] = frozenset()
    whole: bool = False

    def below(self, key: Key) -> Key:
        """The key of the document that a key of the object stands for."""
        return self.key if self.whole else (*self.key, *key)

    @property
    def body(self) -> dict[str, Any]:
        """The table that the document is; empty when it is something else."""
        return self.document.body if isinstance(self.document.body, dict) else {}

    def diagnose(self, finding: Finding) -> Iterator[Diagnostic]:
        """The finding with its position, or nothing for a silent key; its key is relative to the document."""
        if not covers(self.silent, finding.key):
            yield self.locate(finding)

    def locate(self, finding: Finding) -> Diagnostic:
        """The finding with its position."""
        document, key = self.document.home(finding.key)
        if finding.offset is not None:
            span = document.locate(key, self.written(finding.key, finding.offset))
        elif finding.code in _AT_KEY and key[-1:] not in _OF_VALUE:
            span = document.key_span(key)
        else:
            span = document.value_span(key)
        path, span = document.spot(span)
        return _diagnostic(path, span.line, span.column, finding)

    def place(self, key: Key) -> str:
        """Where the key is written, as `path:line:column`."""
        document, below = self.document.home(key)
        return _spelt(*document.spot(document.key_span(below)))

    def value_place(self, key: Key) -> str:
        """Where the value at the key begins, as `path:line:column`."""
        document, below = self.document.home(key)
        return _spelt(*document.spot(document.value_span(below)))


def _spelt(path: str, span: Span) -> str:
    return f"{path}:{span.line}:{span.column}"


def _diagnostic(path: str, line: int, column: int, finding: Finding) -> Diagnostic:
    return Diagnostic(path, line, column, finding.severity, finding.code, finding.message, finding.hint)


def diagnose_prompt(document: Document, offset: int, finding: Finding) -> Diagnostic:
    """The finding at a character of a document's Markdown body."""
    span = document.locate_prompt(offset)
    return _diagnostic(document.path, span.line, span.column, finding)


@dataclass(frozen=True, slots=True)
class Item:
    """One object of a family: its kind, its spec if it could be decoded, and a fingerprint of all that it says; `team`
    is the one that its file belongs to."""

    name: str
    site: Site
    kind: Kind[Any, Any] | None
    spec: Any
    fingerprint: str
    files: tuple[str, ...] = ()
    team: str | None = None

    @property
    def models(self) -> Mapping[Key, str]:
        """The models that it asks by itself, by the key below its own where each stands."""
        return self.kind.models(self.spec) if self.kind is not None and self.spec is not None else {}

    @property
    def server(self) -> str | None:
        """The MCP server that it is opened on, or None."""
        return self.kind.server(self.spec) if self.kind is not None and self.spec is not None else None

    def open(self, env: Env) -> AbstractAsyncContextManager[Any]:
        """See `Kind.open`; raises `ConfigError` for an object of no known kind."""
        if self.kind is None:
            raise ConfigError("the object has no kind")
        return self.kind.open(self.spec, env)


@dataclass(frozen=True, slots=True)
class AgentSource:
    """One agent file: its frontmatter and its prompt."""

    name: str
    site: Site
    spec: Agent | None
    prompt: str


Sound = set[tuple[str, str, tuple[str, ...]]]


@dataclass(slots=True)
class Draft:
    """Everything that a tree says, and everything that is wrong with it so far.

    `gateway` is what `gateway.toml` and the files of `gateway.d` say together, `layers` which of them says what.
    `broken` are objects by role and name whose files cannot be read. `documents` are the files that objects name and
    that can be parsed. `backends` are the secret back-ends, `wanted_secrets` what the tree refers to in them. `sound`
    are objects in which an earlier draft found nothing, by name, fingerprint and packages. `servers` are the MCP
    servers, wherever they are declared; one whose declaration could not be read has no spec. `overlay` are the
    documents that the API made, `hidden` those of them that the tree declares too, `aside` those that do not fit, and
    `sealed` the keys of their secrets.
    """

    tree: Tree
    kinds: Kinds
    gateway: Gateway | None = None
    gateway_site: Site | None = None
    gateway_body: dict[str, Any] = field(default_factory=dict)
    layers: Layers | None = None
    providers: dict[str, Item] = field(default_factory=dict)
    tools: dict[str, Item] = field(default_factory=dict)
    interceptors: dict[str, Item] = field(default_factory=dict)
    servers: dict[str, Item] = field(default_factory=dict)
    agents: dict[str, AgentSource] = field(default_factory=dict)
    fragments: dict[str, tuple[Document, str]] = field(default_factory=dict)
    documents: dict[str, Document] = field(default_factory=dict)
    broken: set[tuple[str, str]] = field(default_factory=set)
    sound: Sound = field(default_factory=set)
    secrets: set[str] = field(default_factory=set)
    backends: dict[str, Item] = field(default_factory=dict)
    wanted_secrets: set[SecretRef] = field(default_factory=set)
    sources: set[tuple[str, str]] = field(default_factory=set)
    outside: set[Path] = field(default_factory=set)
    diagnostics: list[Diagnostic] = field(default_factory=list)
    overlay: Overlay = NO_OVERLAY
    hidden: tuple[OverlayDocument, ...] = ()
    aside: tuple[Aside, ...] = ()
    sealed: frozenset[Key] = frozenset()

    @property
    def wanted(self) -> frozenset[str]:
        """Files of the tree that the manifests name."""
        names = [name for item in (*self.providers.values(), *self.tools.values()) for name in item.files]
        for agent in self.agents.values():
            names += agent.spec.context if agent.spec else ()
        return frozenset(names)

    @property
    def agent_names(self) -> frozenset[str]:
        """Every agent, those whose file cannot be read too: they are not blamed a second time."""
        return self._names("agent", self.agents)

    @property
    def tool_names(self) -> frozenset[str]:
        """Every tool, those whose file cannot be read too."""
        return self._names("tool", self.tools)

    @property
    def fragment_names(self) -> frozenset[str]:
        """Every fragment, those whose file cannot be read too."""
        return self._names("fragment", self.fragments)

    @property
    def served(self) -> dict[str, ServerSpec]:
        """The MCP servers that are in use and can be read."""
        known = {name: each.spec for name, each in self.servers.items()}
        return {name: spec for name, spec in known.items() if isinstance(spec, ServerSpec) and spec.enabled}

    @property
    def awaited(self) -> frozenset[str]:
        """MCP servers that are not there and may be named: the API is to make them, or their documents are set
        aside."""
        named = self.gateway.mcp.from_api if self.gateway is not None else ()
        kept = [each.document.name for each in self.aside if each.document.kind == SERVERS]
        return frozenset((*named, *kept)) - self.servers.keys()

    def declared(self, table: str) -> frozenset[str]:
        """Every name in a table of `gateway.toml`, rightly there or not."""
        body = self.gateway_site.body.get(table) if self.gateway_site else None
        return frozenset(body) if isinstance(body, dict) else frozenset()

    @property
    def provider_names(self) -> frozenset[str]:
        """Every provider that `gateway.toml` declares, rightly or not."""
        return self.declared("providers")

    @property
    def alias_names(self) -> frozenset[str]:
        """Every model alias that `gateway.toml` declares, rightly or not."""
        return self.declared("models")

    def team_of(self, *key: str) -> str | None:
        """The team that the object at `key` belongs to, since the file belongs to it."""
        return self.layers.teams.get(key) if self.layers else None

    def knows(self, *key: str) -> bool:
        """Whether what `gateway.toml` says at `key` is known: neither wrong nor left out with the environment."""
        return self.gateway_site is not None and self.gateway is not None and not covers(self.gateway_site.silent, key)

    def report(self, site: Site, findings: Iterable[Finding]) -> None:
        """Adds findings that stand in the site's document."""
        self.diagnostics.extend(site.locate(each) for each in findings)

    def _names(self, role: str, known: Mapping[str, Any]) -> frozenset[str]:
        return frozenset(known) | {name for what, name in self.broken if what == role}
