"""How a tree is read: every file parsed, its references resolved, its structure checked, its objects typed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Any

from headgate.compile import planned
from headgate.compile.aside import Aside, told
from headgate.compile.decode import Decoded, decode, prune
from headgate.compile.draft import AgentSource, Draft, Item, Site, Sound
from headgate.compile.fingerprint import digest_of, owned, with_files
from headgate.compile.lookup import TABLE, Answers, Lookup
from headgate.compile.overlay import NO_OVERLAY, Overlay, hidden_by_tree, lay, private, referring, texts_of
from headgate.compile.servers import Source, place_servers
from headgate.compile.specs import FAMILIES, Agent, Gateway
from headgate.compile.structure import check_structure, not_built
from headgate.compile.validators import Validators
from headgate.core.kind import Finding, Key, Kind, Kinds
from headgate.manifest.diagnostics import Diagnostic
from headgate.manifest.layers import merged
from headgate.manifest.parsers import Parser
from headgate.manifest.references import Resolved, resolve
from headgate.manifest.source import Document
from headgate.manifest.tree import ROOT_FILE, Tree, role

_PLANNED = {"gateway": planned.GATEWAY, "agent": planned.AGENT, "tool": planned.TOOL}
_PARSED = (".yaml", ".yml")
_REMEMBERED = 100_000
_Places = frozenset[tuple[str, int, int]]


@dataclass(frozen=True, slots=True)
class _Entry:
    """What one file says: its diagnostics, the secrets that are written out in it, and its objects."""

    stamp: tuple[Any, ...]
    site: Site
    diagnostics: tuple[Diagnostic, ...]
    secrets: frozenset[str]
    body: dict[str, Any]
    spec: Gateway | Agent | None = None
    items: tuple[Item, ...] = ()
    sealed: frozenset[Key] = frozenset()


class Reading:
    """Reads one tree again and again; the entry of a file whose bytes and references are the same is kept."""

    def __init__(self, kinds: Kinds, environ: Mapping[str, str], *, skip_environment: bool = False) -> None:
        self._kinds = kinds
        self._environ = environ
        self._skip_environment = skip_environment
        self._parser = Parser()
        self._entries: dict[str, _Entry] = {}
        self._sound: Sound = set()
        self._lookup = Lookup(None)
        self._overlay = NO_OVERLAY
        self._validators = Validators(kinds)

    def draft(
        self,
        tree: Tree,
        answers: Answers | None = None,
        overlay: Overlay = NO_OVERLAY,
        aside: Mapping[str, Aside] | None = None,
    ) -> Draft:
        """Reads the whole tree; `answers` are what is known of the secrets that it refers to, `overlay` is what the API
        has declared besides, and `aside` what of that has no effect."""
        if len(self._sound) > _REMEMBERED:
            self._sound.clear()
        draft = Draft(tree, self._kinds, sound=self._sound, diagnostics=list(tree.diagnostics))
        aside = aside or {}
        draft.overlay, draft.aside, self._overlay = overlay, tuple(aside.values()), overlay.without(aside)
        draft.secrets |= {text for each in draft.aside for text in texts_of(each.document)}
        draft.diagnostics += told(aside)
        before, self._entries = self._entries, {}
        self._lookup = Lookup(None, answers or {}, draft.wanted_secrets)
        self._gateway(draft, before)  # it declares what the others refer to
        for path in tree.files:
            what, name = role(path)
            if what in ("extra", "gateway", "layer"):
                continue
            document, findings = self._parser.parse(path, tree.files[path])
            draft.diagnostics += findings
            if name is None:
                draft.broken.add((what, PurePosixPath(path).stem))  # its name is reported with the tree
            elif document is None:
                draft.broken.add((what, name))
            elif what in _PLANNED:
                self._place(draft, what, name, self._entry(draft, (what, name), document, before, _places(findings)))
            else:
                _place_other(draft, what, name, document)
        place_servers(draft, Source(self._kinds.server, self._environ, self._skip_environment))
        self._parse_named(draft)
        return draft

    def _gateway(self, draft: Draft, before: Mapping[str, _Entry]) -> None:
        """`gateway.toml` with the files of `gateway.d`; if one cannot be read, nothing is said of what they hold."""
        paths = [path for path in draft.tree.files if role(path)[0] in ("gateway", "layer")]
        parsed = [self._parser.parse(path, draft.tree.files[path]) for path in sorted(paths, key=_from_root)]
        findings = [each for _, found in parsed for each in found]
        documents = [document for document, _ in parsed if document is not None]
        draft.diagnostics += findings
        if len(documents) < len(parsed) or ROOT_FILE not in paths:
            draft.broken.add(("gateway", "gateway"))
            return
        draft.layers = merged(documents)
        draft.diagnostics += draft.layers.diagnostics
        places = _places([*findings, *draft.layers.diagnostics])
        entry = self._entry(draft, ("gateway", "gateway"), draft.layers.document, before, places)
        self._place(draft, "gateway", "gateway", entry)

    def _entry(
        self, draft: Draft, role: tuple[str, str], document: Document, before: Mapping[str, _Entry], places: _Places
    ) -> _Entry:
        """The entry of one document; at `places` its parser has found something already."""
        if role[0] == "gateway":
            held = Site(document).body.get(TABLE)
            self._lookup.declared = frozenset(held or ()) if isinstance(held, dict | None) else None
        resolved = resolve(
            document,
            self._environ,
            draft.tree.root,
            skip_environment=self._skip_environment,
            lookup=self._lookup,
        )
        hints: list[Diagnostic] = []
        if role[0] == "gateway":
            laid = lay(self._overlay, document, resolved)
            hints = [Site(document).locate(each) for each in hidden_by_tree(laid.hidden)]
            document, resolved, draft.hidden = laid.document, laid.resolved, laid.hidden
        draft.secrets |= resolved.secrets
        draft.sources |= resolved.sources
        draft.outside |= resolved.files
        stamp = (document.digest, resolved.sources, resolved.unresolved, resolved.diagnostics)
        held = before.get(document.path)
        # What `auto` chooses depends on the environment, so the gateway's own entry is always made anew.
        entry = held if held and held.stamp == stamp and role[0] != "gateway" else None
        if entry is None:
            entry = self._read(role, document, resolved)
            kept = tuple(each for each in entry.diagnostics if _where(each) not in places)
            entry = replace(entry, stamp=stamp, diagnostics=(*resolved.diagnostics, *hints, *kept))
        self._entries[document.path] = entry
        return entry

    def _read(self, role: tuple[str, str], document: Document, resolved: Resolved) -> _Entry:
        what, name = role
        structure = check_structure(self._validators.of(what, document.body), document.body, _PLANNED[what])
        written = frozenset(each.key for each in structure.findings if each.code == "HG1105")
        secrets = frozenset(str(_at(document.body, key)) for key in written)
        # What the API makes is encrypted at rest, so its secrets are rightly written out.
        sealed = frozenset(key for key in written if document.home(key)[0] is not document)
        hidden = dict(private(document))
        sealed, secrets = sealed | hidden.keys(), secrets | set(hidden.values())
        found = (each for each in structure.findings if each.code != "HG1105" or each.key not in sealed)
        findings = [*referring(document), *found]
        pruned = prune(resolved.body, structure.silent)
        body: dict[str, Any] = pruned if isinstance(pruned, dict) else {}
        silent = resolved.unresolved | structure.silent
        spec: Gateway | Agent | None = None
        items: list[Item] = []
        if what != "tool":
            made: Decoded[Gateway] | Decoded[Agent]
            made = decode(Gateway, body, (), silent) if what == "gateway" else decode(Agent, body, (), silent)
            spec, silent = made.spec, made.silent
            findings += made.findings
        site = Site(document, (), resolved.written, silent)
        for family, key, raw in _objects(what, body):
            place = Site(document, key, resolved.written, silent)
            item, more = self._item(family, str(key[-1]) if key else name, raw, place)
            items.append(item)
            findings += more
        diagnostics = tuple(site.locate(_with_hint(each, document)) for each in findings)
        return _Entry((), site, diagnostics, secrets, body, spec, tuple(items), sealed)

    def _item(self, table: str, name: str, raw: dict[str, Any], site: Site) -> tuple[Item, list[Finding]]:
        family: Mapping[str, Kind[Any, Any]] = getattr(self._kinds, table)
        kind = family.get(str(raw.get("kind")))
        if kind is None:
            return Item(name, site, None, None, ""), []
        made = decode(kind.spec, raw, site.key, site.silent)
        findings = made.findings
        if made.spec is not None and kind.choose is not None:
            raw = kind.choose(made.spec, {} if self._skip_environment else self._environ)
            kind = family[raw["kind"]]
            made = decode(kind.spec, raw, site.key, made.silent)
            findings = findings + made.findings
        files = kind.files(made.spec) if made.spec is not None else ()
        site = Site(site.document, site.key, site.written, made.silent)
        return Item(name, site, kind, made.spec, digest_of([kind.name, raw]), files), findings

    def _place(self, draft: Draft, what: str, name: str, entry: _Entry) -> None:
        draft.diagnostics += entry.diagnostics
        draft.secrets |= entry.secrets
        if isinstance(entry.spec, Gateway) or what == "gateway":
            draft.gateway = entry.spec if isinstance(entry.spec, Gateway) else None
            draft.gateway_site, draft.gateway_body, draft.sealed = entry.site, entry.body, entry.sealed
            draft.providers = {item.name: with_files(item, draft.tree) for item in _from(entry, "providers")}
            draft.interceptors = {
                item.name: owned(item, draft.team_of("interceptors", item.name))
                for item in _from(entry, "interceptors")
            }
            draft.backends = {item.name: item for item in _from(entry, TABLE)}
            draft.secrets |= {value for item in draft.providers.values() for value in self._chosen(item)}
        elif what == "tool":
            _collide(draft, "tool", name, entry.site, draft.tools.get(name))
            draft.tools.setdefault(name, with_files(entry.items[0], draft.tree))
        else:
            _collide(draft, "agent", name, entry.site, draft.agents.get(name))
            spec = entry.spec if isinstance(entry.spec, Agent) else None
            prompt = entry.site.document.prompt or ""
            draft.agents.setdefault(name, AgentSource(name, entry.site, spec, prompt))

    def _chosen(self, item: Item) -> list[str]:
        """Credentials that an alias took from the environment by itself."""
        held = {value for name, value in self._environ.items() if name.endswith(("_KEY", "_TOKEN"))}
        values = item.spec.model_dump().values() if item.spec is not None else ()
        return [value for value in values if isinstance(value, str) and value in held]

    def _parse_named(self, draft: Draft) -> None:
        for item in (*draft.providers.values(), *draft.tools.values()):
            for path in item.files:
                data = draft.tree.files.get(path)
                if data is None or path in draft.documents or PurePosixPath(path).suffix not in _PARSED:
                    continue
                document, findings = self._parser.parse(path, data)
                draft.diagnostics += findings
                if document is not None and all(each.severity == "warning" for each in findings):
                    draft.documents[path] = document


def _where(found: Diagnostic) -> tuple[str, int, int]:
    return found.path, found.line, found.column


def _places(findings: Iterable[Diagnostic]) -> _Places:
    return frozenset(map(_where, findings))


def _from_root(path: str) -> tuple[bool, str]:
    """The order of the layers."""
    return path != ROOT_FILE, path


def _with_hint(finding: Finding, document: Document) -> Finding:
    """A file that has no frontmatter at all is told what that is."""
    if finding.code != "HG1005" or document.format != "markdown" or document.prompt_line > 1:
        return finding
    return replace(finding, hint=f"begin the file with three lines: ---, {finding.key[-1]}: ..., ---")


def _place_other(draft: Draft, what: str, name: str, document: Document) -> None:
    if what in planned.ROLES:
        draft.report(Site(document), [not_built((), f"this {what} file", planned.ROLES[what], "remove the file")])
        return
    draft.fragments[name] = (document, document.prompt or "")
    keys = [each for each in Site(document).body if not each.startswith("x-")]
    hint = "write the text alone; keys belong to the agent that includes it"
    draft.report(Site(document), [Finding((each,), "HG1003", f"a fragment has no key {each!r}", hint) for each in keys])


def _collide(draft: Draft, noun: str, name: str, site: Site, first: Item | AgentSource | None) -> None:
    if first is not None:
        message = f"{noun} {name!r} is already declared in {first.site.document.path}"
        draft.report(site, [Finding((), "HG1203", message, "rename or remove one of them")])


def _objects(what: str, body: dict[str, Any]) -> Iterator[tuple[str, Key, dict[str, Any]]]:
    """The objects of a document, each with its family and the key that it stands at."""
    if what == "tool":
        yield "tools", (), body
    elif what == "gateway":
        for family in FAMILIES:
            yield from ((family, (family, name), raw) for name, raw in _table(body, family).items())


def _from(entry: _Entry, table: str) -> list[Item]:
    """The objects of one table of `gateway.toml`."""
    return [item for item in entry.items if item.site.key[0] == table]


def _table(body: Any, key: str) -> dict[str, dict[str, Any]]:
    """The tables in the table at `key`; what is something else is left out."""
    held = body.get(key) if isinstance(body, dict) else None
    return {name: raw for name, raw in held.items() if isinstance(raw, dict)} if isinstance(held, dict) else {}


def _at(body: Any, key: Key) -> Any:
    for part in key:
        body = body[part]
    return body
