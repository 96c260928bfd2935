"""The MCP servers of a tree, wherever they are declared: in `gateway.toml`, in files that it imports, in documents of
the API. Each becomes an `Item`, which is checked and opened in the same way."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from headgate.compile.decode import decode
from headgate.compile.draft import Draft, Item, Site
from headgate.compile.fingerprint import digest_of
from headgate.core.kind import Finding, Key, Kind
from headgate.manifest.references import resolve
from headgate.manifest.source import Document
from headgate.mcp import imports
from headgate.mcp.spec import Import, Mcp, ServerSpec

TABLE = "mcp"
AT: Key = (TABLE, "servers")
"""Where servers stand in `gateway.toml`."""


@dataclass(frozen=True, slots=True)
class Source:
    """What is needed to read servers: the kind, the environment, and whether what this machine has is left out."""

    kind: Kind[Any, Any] | None
    environ: Mapping[str, str]
    skip_environment: bool = False


def place_servers(draft: Draft, source: Source) -> None:
    """Reads the servers of the draft's `gateway.toml` and of the files that it imports."""
    site = draft.gateway_site
    if site is None:
        return
    mcp = draft.gateway.mcp if draft.gateway is not None else None
    held = draft.gateway_body.get(TABLE)
    raw = held.get("servers") if isinstance(held, dict) else None
    for name, table in (raw if isinstance(raw, dict) else {}).items():
        spec = mcp.servers.get(name) if mcp is not None else None
        where = Site(site.document, (*AT, name), site.written, site.silent)
        draft.servers[name] = server_item(name, table, spec, where, source=source, mcp=mcp)
    for index, each in enumerate(mcp.import_ if mcp is not None else ()):
        _import(draft, source, each, (TABLE, "import", index))


def server_item(name: str, raw: Any, spec: ServerSpec | None, site: Site, *, source: Source, mcp: Mcp | None) -> Item:
    """A server as an object of the draft; the limits that it does not state are those of `[mcp]`."""
    whole = mcp.effective(spec) if mcp is not None and spec is not None else spec
    limits = [whole.timeout, whole.connection_timeout] if whole is not None else []
    return Item(name, site, source.kind, whole, digest_of([raw, limits]))


def _import(draft: Draft, source: Source, wanted: Import, key: Key) -> None:
    """Takes the servers that are named from one file; what is wrong in it is told with its path."""
    site = draft.gateway_site
    if site is None or draft.gateway is None:
        return
    names = [each for each in enumerate(wanted.servers) if _is_free(draft, each[1], (*key, "servers", each[0]))]
    taken = _read(draft, source, wanted, (*key, "path"))
    for index, name in names:
        where = Site(site.document, (*key, "servers", index), site.written, site.silent, whole=True)
        draft.servers[name] = Item(name, where, source.kind, None, "")
        if taken is None:
            continue
        if name not in taken.servers:
            hint = f"it has: {', '.join(sorted(taken.servers)) or 'none'}"
            message = f"{wanted.path} has no server {name!r}"
            draft.report(site, [Finding((*key, "servers", index), "HG1201", message, hint)])
            continue
        draft.servers[name] = _item(draft, source, name, where, taken=taken, path=wanted.path)


def _is_free(draft: Draft, name: str, key: Key) -> bool:
    first = draft.servers.get(name)
    if first is None or draft.gateway_site is None:
        return True
    if (*AT, name) in draft.gateway_site.document.parts:  # of the API, which may not stand in the tree's way
        message, key = f"the tree imports MCP server {name!r} ({draft.gateway_site.place(key)})", (*AT, name)
    else:
        message = f"MCP server {name!r} is declared already"
    draft.report(draft.gateway_site, [Finding(key, "HG1203", message, "take it out of one of the places")])
    return False


def _read(draft: Draft, source: Source, wanted: Import, key: Key) -> imports.Imported | None:
    """What the file has; None when it cannot be known, or when this machine is left out."""
    if source.skip_environment or draft.gateway_site is None:
        return None
    path = imports.place(wanted.path, draft.tree.root, source.environ)
    draft.outside.add(path)
    try:
        data = imports.read(path)
    except OSError as error:
        message = f"cannot read {wanted.path}: {error.strerror}"
        draft.report(draft.gateway_site, [Finding(key, "HG1103", message)])
        return None
    draft.sources.add((f"import:{wanted.path}", sha256(data).hexdigest()))
    taken = imports.take(data)
    if taken.fault:
        draft.report(draft.gateway_site, [Finding(key, "HG1002", f"cannot read {wanted.path}: {taken.fault}")])
        return None
    return taken


def _item(draft: Draft, source: Source, name: str, where: Site, *, taken: imports.Imported, path: str) -> Item:
    raw = taken.servers[name]
    document = Document(path, "yaml", {name: raw}, digest_of(raw))
    resolved = resolve(document, source.environ, draft.tree.root)
    draft.secrets |= resolved.secrets
    draft.sources |= resolved.sources
    draft.diagnostics += resolved.diagnostics
    made = decode(ServerSpec, resolved.body[name], (name,), resolved.unresolved)
    draft.report(where, _told(made.findings, where.key, path))
    ignored = [each for each in taken.ignored if each.startswith(f"{imports.MEMBER}.{name}.")]
    for each in ignored:
        message = f"{each} of {path} means nothing here"
        draft.report(where, [Finding(where.key, "HG1206", message, severity="warning")])
    known = made.spec if not made.findings and not resolved.unresolved else None
    mcp = draft.gateway.mcp if draft.gateway is not None else None
    return server_item(name, resolved.body[name], known, where, source=source, mcp=mcp)


def _told(findings: list[Finding], key: Key, path: str) -> Iterator[Finding]:
    """The findings at the key that names the server, which is what can be pointed at."""
    for each in findings:
        yield Finding(
            key, each.code, f"{path}: {imports.MEMBER}.{'.'.join(map(str, each.key))}: {each.message}", each.hint
        )
