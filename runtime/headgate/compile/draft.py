"""A tree read into typed objects, each with the place where it stands; nothing is opened and nothing is decided yet."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any

from headgate.compile import planned, schema
from headgate.compile.decode import decode, prune
from headgate.compile.specs import Agent, Gateway
from headgate.compile.structure import Validator, not_built, violations
from headgate.core.kind import Finding, Key, Kind, Kinds
from headgate.manifest.diagnostics import Diagnostic
from headgate.manifest.parsers import Parser
from headgate.manifest.references import resolve
from headgate.manifest.source import Document
from headgate.manifest.tree import Tree, role

_AT_KEY = frozenset({"HG1003", "HG1005", "HG1006", "HG1007"})


def _as_written(_key: Key, offset: int) -> int:
    return offset


@dataclass(frozen=True, slots=True)
class Site:
    """Where an object stands: its document, the path of its key, and how offsets in resolved scalars are written."""

    document: Document
    key: Key = ()
    written: Callable[[Key, int], int] = _as_written

    @property
    def body(self) -> dict[str, Any]:
        """The table that the document is; empty when it is something else."""
        return self.document.body if isinstance(self.document.body, dict) else {}

    def diagnose(self, finding: Finding) -> Diagnostic:
        """The finding with its position; its key is relative to the document."""
        key = finding.key
        if finding.offset is not None:
            span = self.document.locate(key, self.written(key, finding.offset))
        elif finding.code in _AT_KEY:
            span = self.document.key_span(key)
        else:
            span = self.document.value_span(key)
        return _diagnostic(self.document.path, span.line, span.column, finding)


def _diagnostic(path: str, line: int, column: int, finding: Finding) -> Diagnostic:
    return Diagnostic(path, line, column, finding.severity, finding.code, finding.message, finding.hint)


def diagnose_prompt(document: Document, offset: int, finding: Finding) -> Diagnostic:
    """The finding at a character of a document's Markdown body."""
    span = document.locate_prompt(offset)
    return _diagnostic(document.path, span.line, span.column, finding)


@dataclass(frozen=True, slots=True)
class Item:
    """One object of a family: its kind, its spec if it could be decoded, and a fingerprint of all that it says."""

    name: str
    site: Site
    kind: Kind[Any, Any] | None
    spec: Any
    fingerprint: str
    files: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AgentSource:
    """One agent file: its frontmatter and its prompt."""

    name: str
    site: Site
    spec: Agent | None
    prompt: str


@dataclass(slots=True)
class Draft:
    """Everything that a tree says, and everything that is wrong with it so far."""

    tree: Tree
    kinds: Kinds
    gateway: Gateway | None = None
    gateway_site: Site | None = None
    gateway_body: dict[str, Any] = field(default_factory=dict)
    providers: dict[str, Item] = field(default_factory=dict)
    tools: dict[str, Item] = field(default_factory=dict)
    agents: dict[str, AgentSource] = field(default_factory=dict)
    fragments: dict[str, tuple[Document, str]] = field(default_factory=dict)
    broken: set[tuple[str, str]] = field(default_factory=set)
    secrets: set[str] = field(default_factory=set)
    sources: set[tuple[str, str]] = field(default_factory=set)
    outside: set[Path] = field(default_factory=set)
    diagnostics: list[Diagnostic] = field(default_factory=list)

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
        return frozenset(self.agents) | {name for what, name in self.broken if what == "agent"}

    @property
    def tool_names(self) -> frozenset[str]:
        """Every tool, those whose file cannot be read too."""
        return frozenset(self.tools) | {name for what, name in self.broken if what == "tool"}

    def report(self, site: Site, findings: Iterable[Finding]) -> None:
        """Adds findings that stand in the site's document."""
        self.diagnostics.extend(site.diagnose(each) for each in findings)


@dataclass(frozen=True)
class Reading:
    """How a tree is read: with which kinds, which environment, and whether the environment counts at all."""

    kinds: Kinds
    environ: Mapping[str, str]
    parser: Parser = field(default_factory=Parser)
    skip_environment: bool = False

    @cached_property
    def validators(self) -> dict[str, Any]:
        """The structure checks by role, compiled once."""
        return {
            "gateway": Validator(schema.gateway_schema(self.kinds)),
            "agent": Validator(schema.agent_schema()),
            "tool": Validator(schema.tool_schema(self.kinds)),
        }

    def draft(self, tree: Tree) -> Draft:
        """Reads the whole tree."""
        draft = Draft(tree, self.kinds, diagnostics=list(tree.diagnostics))
        for path, data in tree.files.items():
            what, name = role(path)
            if what == "extra":
                continue
            document, findings = self.parser.parse(path, data)
            draft.diagnostics += findings
            if document is not None and (name is not None or what == "gateway"):
                self._place(draft, what, name or what, document)
            elif name is not None:
                draft.broken.add((what, name))
        return draft

    def _place(self, draft: Draft, what: str, name: str, document: Document) -> None:
        if what in planned.ROLES:
            draft.report(Site(document), [not_built((), f"this {what} file", planned.ROLES[what])])
        elif what == "gateway":
            self._gateway(draft, document)
        elif what == "tool":
            self._tool(draft, name, document)
        elif what == "agent":
            self._agent(draft, name, document)
        elif what == "fragment":
            draft.fragments[name] = (document, document.prompt or "")

    def _check(self, draft: Draft, document: Document, what: str, plan: planned.Planned) -> _Checked:
        """Structure check and references: the body without its faulty parts, and what else must be known of it."""
        resolved = resolve(document, self.environ, draft.tree.root, skip_environment=self.skip_environment)
        draft.diagnostics += resolved.diagnostics
        draft.secrets |= resolved.secrets
        draft.sources |= resolved.sources
        draft.outside |= resolved.files
        site = Site(document, (), resolved.written)
        findings = list(violations(self.validators[what], document.body, plan))
        draft.report(site, findings)
        faults = tuple(each.key for each in findings if each.severity == "error")
        draft.secrets |= {str(_at(document.body, each.key)) for each in findings if each.code == "HG1105"}
        body = prune(resolved.body, faults)
        return _Checked(site, resolved.unresolved, faults, body if isinstance(body, dict) else {})

    def _gateway(self, draft: Draft, document: Document) -> None:
        checked = self._check(draft, document, "gateway", planned.GATEWAY)
        draft.gateway_site, draft.gateway_body = checked.site, checked.body
        draft.gateway, findings = decode(Gateway, checked.body, faulty=bool(checked.faults))
        draft.report(checked.site, checked.known(findings))
        for name, raw in _tables(checked.body.get("providers")):
            item, findings = self._item(draft, draft.kinds.providers, name, raw, checked, ("providers", name))
            draft.providers[name] = item
            draft.report(checked.site, checked.known(findings))

    def _tool(self, draft: Draft, name: str, document: Document) -> None:
        checked = self._check(draft, document, "tool", planned.TOOL)
        if name in draft.tools:
            draft.report(checked.site, [_collision("tool", name, draft.tools[name].site)])
        item, findings = self._item(draft, draft.kinds.tools, name, checked.body, checked, ())
        draft.tools[name] = item
        draft.report(checked.site, checked.known(findings))

    def _agent(self, draft: Draft, name: str, document: Document) -> None:
        checked = self._check(draft, document, "agent", planned.AGENT)
        spec, findings = decode(Agent, checked.body, faulty=bool(checked.faults))
        draft.report(checked.site, checked.known(findings))
        if name in draft.agents:
            draft.report(checked.site, [_collision("agent", name, draft.agents[name].site)])
        draft.agents[name] = AgentSource(name, checked.site, spec, document.prompt or "")

    def _item(
        self,
        draft: Draft,
        family: Mapping[str, Kind[Any, Any]],
        name: str,
        raw: dict[str, Any],
        checked: _Checked,
        key: Key,
    ) -> tuple[Item, list[Finding]]:
        site = Site(checked.site.document, key, checked.site.written)
        faulty = any(each[: len(key)] == key for each in checked.faults)
        kind = family.get(str(raw.get("kind")))
        if kind is None:
            return Item(name, site, None, None, ""), []
        spec, findings = decode(kind.spec, raw, key, faulty=faulty)
        if spec is not None and kind.choose is not None:
            raw = kind.choose(spec, {} if self.skip_environment else self.environ)
            draft.secrets |= {value for value in raw.values() if isinstance(value, str) and _from(self.environ, value)}
            kind = family[raw["kind"]]
            spec, findings = decode(kind.spec, raw, key, faulty=faulty)
        files = kind.files(spec) if spec is not None else ()
        return Item(name, site, kind, spec, _fingerprint(kind.name, raw, files, draft.tree), files), findings


@dataclass(frozen=True, slots=True)
class _Checked:
    """A document after its structure check."""

    site: Site
    unresolved: frozenset[Key]
    faults: tuple[Key, ...]
    body: dict[str, Any]

    def known(self, findings: list[Finding]) -> list[Finding]:
        """The findings without what cannot be known because the environment was left out."""
        return [each for each in findings if each.key not in self.unresolved]


def _from(environ: Mapping[str, str], value: str) -> bool:
    return any(name.endswith(("_KEY", "_TOKEN")) and held == value for name, held in environ.items())


def _tables(value: Any) -> list[tuple[str, dict[str, Any]]]:
    if not isinstance(value, dict):
        return []
    return [(name, raw) for name, raw in value.items() if isinstance(raw, dict)]


def _at(body: Any, key: Key) -> Any:
    for part in key:
        body = body[part]
    return body


def _collision(noun: str, name: str, first: Site) -> Finding:
    return Finding((), "HG1203", f"{noun} {name!r} is already declared in {first.document.path}", "rename one of them")


def _fingerprint(kind: str, raw: Mapping[str, Any], files: tuple[str, ...], tree: Tree) -> str:
    digests = [sha256(tree.files.get(name, b"")).hexdigest() for name in files]
    text = json.dumps([kind, raw, digests], sort_keys=True, default=str)
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
