"""Rules of names and files: what objects are called, and what they need beside them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from headgate.compile.draft import Draft, Site
from headgate.compile.planned import BUILT_IN
from headgate.core.kind import Finding, Scope
from headgate.manifest.diagnostics import Diagnostic

Located = Iterator[Diagnostic]


def check_kinds(draft: Draft) -> Located:
    """What each kind knows to be wrong with its own objects."""
    packages = draft.gateway.functions.packages if draft.gateway else ()
    for item in (*draft.providers.values(), *draft.tools.values()):
        if item.kind is not None and item.spec is not None:
            for finding in item.kind.check(item.spec, Scope(item.name, packages)):
                yield item.site.diagnose(_below(item.site, finding))


def _below(site: Site, finding: Finding) -> Finding:
    key = (*site.key, *finding.key)
    return Finding(key, finding.code, finding.message, finding.hint, finding.offset, finding.severity)


def check_own_names(draft: Draft) -> Located:
    """A `name:` inside a file agrees with the file name, and no file takes a built-in name."""
    for agent in draft.agents.values():
        yield from _own_name("agent", agent.name, agent.site)
    for tool in draft.tools.values():
        yield from _own_name("tool", tool.name, tool.site)


def _own_name(noun: str, name: str, site: Site) -> Located:
    said = site.body.get("name")
    if isinstance(said, str) and said != name:
        message = f"the {noun} is called {name!r} by its file, and {said!r} here"
        yield site.diagnose(Finding(("name",), "HG1010", message, "remove the key or rename the file"))
    if name in BUILT_IN:
        yield site.diagnose(Finding((), "HG1203", f"{name!r} is the name of a built-in tool", "rename the file"))


def check_files(draft: Draft) -> Located:
    """Files that manifests name are in the tree."""
    for agent in draft.agents.values():
        for index, path in enumerate(agent.spec.context if agent.spec else ()):
            if path not in draft.tree.files:
                yield agent.site.diagnose(Finding(("context", index), "HG1103", f"the tree has no file {path!r}"))
    for item in (*draft.providers.values(), *draft.tools.values()):
        for path in item.files:
            if path not in draft.tree.files:
                key = (*item.site.key, *_key_of(item.site, path))
                yield item.site.diagnose(Finding(key, "HG1103", f"the tree has no file {path!r}"))


def _key_of(site: Site, value: str) -> tuple[str, ...]:
    body: Any = site.document.body
    for part in site.key:
        body = body[part]
    return next(((name,) for name, held in body.items() if held == value), ())
