"""A compiled revision becomes a snapshot: what changed is opened beside the live one, what did not is shared."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from functools import partial
from typing import Any

from headgate.compile.applied import Applied
from headgate.compile.candidates import model_for
from headgate.compile.catalog import Catalog, gather
from headgate.compile.compiler import Compiled
from headgate.compile.draft import Draft, Item
from headgate.compile.fingerprint import digest_of
from headgate.compile.fold import bind_all, fold_agents
from headgate.compile.plan import Snapshot
from headgate.compile.principals import principals_of
from headgate.compile.resources import HTTP, Identity, Resource
from headgate.core.errors import ConfigError, GatewayError
from headgate.core.kind import Env, Finding
from headgate.core.messages import ErrorInfo
from headgate.core.ports import Model, ToolServer
from headgate.core.vault import Vault
from headgate.manifest.diagnostics import Diagnostic
from headgate.manifest.redaction import Redactor
from headgate.net.client import make_client, open_client
from headgate.net.egress import Egress

SERVERS = "mcp"
"""The family of MCP servers."""

Changed = Callable[[], None]
"""Hears that the tools of an open object are others now."""


def _unheard() -> None:
    """Nobody listens."""


class BuildError(GatewayError):
    """Objects of a well-formed tree could not be opened; nothing of the new revision is left open."""

    default_code = "cannot_open"

    def __init__(self, diagnostics: tuple[Diagnostic, ...]) -> None:
        super().__init__("; ".join(each.message for each in diagnostics))
        self.diagnostics = diagnostics


@dataclass(frozen=True, slots=True)
class _Wanted:
    """One resource that a revision needs."""

    identity: Identity
    fingerprint: str
    factory: Callable[[], AbstractAsyncContextManager[Any]]
    item: Item | None = None


class Builder:
    """Opens one revision; `live` is the snapshot whose unchanged resources are shared."""

    def __init__(
        self, compiled: Compiled, live: Snapshot | None, environ: Mapping[str, str], changed: Changed = _unheard,
        vault: Vault | None = None,
    ) -> None:  # fmt: skip
        self._compiled = compiled
        self._changed = changed
        self._vault = vault
        self._draft: Draft = compiled.draft
        self._environ = environ
        self._shared = {each.identity: each for each in live.resources} if live else {}
        self._bound = live.bound if live else {}
        self._scrub = Redactor(self._draft.secrets).scrub
        self._resources: dict[Identity, Resource] = {}
        self._opened: list[Resource] = []

    async def build(self) -> Snapshot:
        """The new snapshot, with every resource open; raises `BuildError`, and leaves nothing open then."""
        built = False
        try:
            problems = await self._open_all() or await self._warm()
            if problems:
                raise BuildError(tuple(problems))
            catalog = gather(self._draft, self._values("tools"), self._values(SERVERS))
            if any(each.severity == "error" for each in catalog.findings):
                raise BuildError(catalog.findings)
            # Folding a large tree must not hold up streams.
            snapshot = await asyncio.to_thread(self._snapshot, catalog)
            for resource in snapshot.resources:
                resource.hold()
            built = True
            return snapshot
        finally:
            if not built:
                await self._abandon()

    async def _open_all(self) -> list[Diagnostic]:
        try:
            await self._take(self._client())
        except GatewayError as error:
            return [self._locate(None, error)]
        return [found for wanted in self._items() for found in await self._try(wanted)]

    async def _warm(self) -> list[Diagnostic]:
        """Waits for the tools of servers that were opened just now; what is not ready matters only in `abort`."""
        gateway = self._draft.gateway
        fresh = [each for each in self._opened if each.identity[0] == SERVERS]
        waits = [each.value.warm(each.value.spec.connection_timeout or 10.0) for each in fresh]
        faults = zip(fresh, await asyncio.gather(*waits), strict=True)
        if gateway is None or gateway.reload.warm != "abort":
            return []
        return [self._unready(each.identity[1], fault) for each, fault in faults if fault is not None]

    def _unready(self, name: str, fault: ErrorInfo) -> Diagnostic:
        site = self._draft.servers[name].site
        message = self._scrub(f"MCP server {name!r} is not ready: {fault.code}: {fault.message}")
        hint = 'mend it, or write warm = "proceed" in [reload] to go live without it'
        return site.locate(Finding(site.key, "HG1402", message, hint))

    async def _abandon(self) -> None:
        for resource in reversed(self._opened):
            await resource.close()

    async def _try(self, wanted: _Wanted) -> list[Diagnostic]:
        try:
            await self._take(wanted)
        except GatewayError as error:
            return [self._locate(wanted.item, error)]
        return []

    async def _take(self, wanted: _Wanted) -> None:
        held = self._shared.get(wanted.identity)
        if held is not None and held.fingerprint == wanted.fingerprint:
            self._resources[wanted.identity] = held
            return
        resource = Resource(wanted.identity, wanted.fingerprint)
        self._opened.append(resource)  # before it is open, so that one whose opening is cancelled is closed too
        await resource.open(wanted.factory)
        self._resources[wanted.identity] = resource

    def _client(self) -> _Wanted:
        gateway = self._draft.gateway
        allow = gateway.egress.allow if gateway else ()
        return _Wanted(HTTP, digest_of(["egress", *allow]), partial(open_client, Egress(allow)))

    def _items(self) -> list[_Wanted]:
        packages = self._draft.gateway.functions.packages if self._draft.gateway else ()
        base = digest_of([self._resources[HTTP].fingerprint, *packages])
        out = []
        draft = self._draft
        # First, because tools of kind `mcp` are opened on them.
        for name in draft.served:
            item = draft.servers[name]
            root = str(draft.tree.root)
            out.append(
                _Wanted((SERVERS, name), digest_of([base, item.fingerprint, root]), partial(self._open, item), item)
            )
        families = (("providers", draft.providers), ("tools", draft.tools), ("interceptors", draft.interceptors))
        for family, items in families:
            for name, item in items.items():
                factory = partial(self._open, item)
                behind = [*(self._asked() if item.models else ()), *self._behind(item)]
                out.append(_Wanted((family, name), digest_of([base, item.fingerprint, *behind]), factory, item))
        return out

    def _behind(self, item: Item) -> list[str]:
        """The server that a tool is opened on: the tool must not keep one that was closed."""
        server = self._draft.servers.get(item.server) if item.server is not None else None
        return [server.fingerprint] if server is not None else []

    def _server(self, name: str) -> ToolServer:
        held = self._resources.get((SERVERS, name))
        if held is None:
            raise ConfigError(f"there is no MCP server {name!r}", key=("server",))
        server: ToolServer = held.value
        return server

    def _asked(self) -> list[Any]:
        """What an object depends on that asks models by itself: it must not keep a provider that was closed."""
        gateway = self._draft.gateway
        aliases = {name: each.model_dump() for name, each in gateway.models.items()} if gateway else {}
        return [aliases, *(item.fingerprint for item in self._draft.providers.values())]

    def _model(self, reference: str) -> Model:
        return model_for(self._draft, self._values("providers"), reference)

    def _values(self, family: str) -> dict[str, Any]:
        return {name: each.value for (of, name), each in self._resources.items() if of == family}

    def _open(self, item: Item) -> AbstractAsyncContextManager[Any]:
        return item.open(self._env(item.name))

    def _env(self, name: str) -> Env:
        gateway = self._draft.gateway
        return Env(
            name=name,
            http=self._resources[HTTP].value,
            read=self._draft.tree.files.__getitem__,
            packages=gateway.functions.packages if gateway else (),
            environ=self._environ,
            scrub=self._scrub,
            model=self._model,
            server=self._server,
            client=partial(make_client, Egress(gateway.egress.allow if gateway else ())),
            root=self._draft.tree.root,
            changed=self._changed,
            vault=self._vault,
        )

    def _locate(self, item: Item | None, error: GatewayError) -> Diagnostic:
        site = item.site if item else self._draft.gateway_site
        key = error.key if isinstance(error, ConfigError) else ()
        hint = error.hint if isinstance(error, ConfigError) else ""
        if site is None:
            return Diagnostic("gateway.toml", 1, 1, "error", "HG1402", self._scrub(error.message), hint)
        return site.locate(Finding(site.below(key), "HG1402", self._scrub(error.message), hint))

    def _applied(self) -> list[Applied]:
        """The interceptors in the order of the file."""
        return [
            Applied(name, self._resources["interceptors", name].value, item.spec.tools, item.spec.agents,
                    item.spec.when, item.spec.mode, item.team)
            for name, item in self._draft.interceptors.items()
        ]  # fmt: skip

    def _source(self, name: str, catalog: Catalog) -> str:
        """Where a tool comes from: the path of its file, or its server."""
        if name in catalog.own:
            return self._draft.tools[name].site.document.path
        return next(f"mcp/{server}" for server, listed in catalog.served.items() if name in listed)

    def _snapshot(self, catalog: Catalog) -> Snapshot:
        gateway = self._draft.gateway
        if gateway is None:
            raise ConfigError("the tree has no gateway.toml")
        providers, servers = self._values("providers"), self._values(SERVERS)
        bound = bind_all(catalog.all, self._bound)
        return Snapshot(
            revision=self._compiled.revision,
            gateway=gateway,
            agents=fold_agents(self._draft, providers, catalog, self._applied(), servers=servers, bound=bound),
            principals=principals_of(gateway.auth.keys),
            resources=tuple(self._resources.values()),
            demo=any(provider.demo for provider in providers.values()),
            warnings=(*self._compiled.warnings, *catalog.findings),
            servers=servers,
            sources={name: self._source(name, catalog) for name in catalog.all},
            listings=catalog.versions,
            tools={name: tool.definition for name, tool in catalog.all.items()},
            scrub=self._scrub,
            secrets_digest=self._compiled.secrets_digest,
            fingerprints=fingerprints(self._draft),
            bound=bound,
            outside=frozenset(self._draft.outside),
            overlay=self._draft.overlay,
            hidden=self._draft.hidden,
            aside=self._draft.aside,
        )


def fingerprints(draft: Draft) -> dict[str, str]:
    """A fingerprint of every object, by `family/name`: what two revisions are compared by."""
    tables = {name: value for name, value in draft.gateway_body.items() if name not in ("providers", "interceptors")}
    if isinstance(tables.get("mcp"), dict):
        tables["mcp"] = {name: value for name, value in tables["mcp"].items() if name != "servers"}
    out = {f"gateway/{table}": digest_of(value) for table, value in tables.items() if value != {}}
    out |= {f"mcp/{name}": item.fingerprint for name, item in draft.servers.items()}
    out |= {f"providers/{name}": item.fingerprint for name, item in draft.providers.items()}
    out |= {f"tools/{name}": item.fingerprint for name, item in draft.tools.items()}
    out |= {f"interceptors/{name}": item.fingerprint for name, item in draft.interceptors.items()}
    if draft.layers is not None and draft.layers.layered:
        out["gateway/layers"] = digest_of([str(draft.layers.files), str(draft.layers.teams)])
    if len(draft.interceptors) > 1:
        out["gateway/order of interceptors"] = digest_of(list(draft.interceptors))
    for name, agent in draft.agents.items():
        files = [draft.tree.files.get(path, b"").hex() for path in (agent.spec.context if agent.spec else ())]
        out[f"agents/{name}"] = digest_of([agent.site.document.body, agent.prompt, files])
    return out | {f"fragments/{name}": digest_of(text) for name, (_, text) in draft.fragments.items()}
