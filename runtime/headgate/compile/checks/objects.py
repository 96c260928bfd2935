"""Rules of names and files: what objects are called, and what they need beside them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any

from headgate.compile.decode import touches
from headgate.compile.draft import Draft, Item, Site
from headgate.compile.planned import BUILT_IN
from headgate.core.kind import Finding, Key, Scope
from headgate.manifest.diagnostics import Diagnostic, suggest

Located = Iterator[Diagnostic]

_CANNOT_OPEN = "HG1402"


def check_kinds(draft: Draft) -> Located:
    """What each kind knows to be wrong with its own objects."""
    packages = draft.gateway.functions.packages if draft.gateway else ()
    for item in (
        *draft.providers.values(),
        *draft.tools.values(),
        *draft.interceptors.values(),
        *draft.backends.values(),
        *draft.servers.values(),
    ):
        if item.kind is None or item.spec is None or (item.name, item.fingerprint, packages) in draft.sound:
            continue
        bodies = {path: draft.documents[path].body for path in item.files if path in draft.documents}
        findings = list(item.kind.check(item.spec, Scope(item.name, packages, bodies)))
        if not findings:
            draft.sound.add((item.name, item.fingerprint, packages))
        for finding in findings:
            yield from _judged(draft, item, finding)


def _judged(draft: Draft, item: Item, finding: Finding) -> Located:
    if finding.file:
        yield Site(draft.documents[finding.file]).locate(finding)
    elif finding.code != _CANNOT_OPEN or draft.knows("functions", "packages"):
        below = replace(finding, key=item.site.below(finding.key))
        if not touches(item.site.silent, below.key):
            yield item.site.locate(below)


def check_own_names(draft: Draft) -> Located:
    """A `name:` inside a file agrees with the file name, and no tool takes a built-in name."""
    for agent in draft.agents.values():
        yield from _own_name("agent", agent.name, agent.site)
    for tool in draft.tools.values():
        yield from _own_name("tool", tool.name, tool.site)
        if tool.name in BUILT_IN:
            message = f"{tool.name!r} is the name of a built-in tool"
            yield from tool.site.diagnose(Finding((), "HG1203", message, "rename the file"))


def _own_name(noun: str, name: str, site: Site) -> Located:
    said = site.body.get("name")
    if isinstance(said, str) and said != name:
        message = f"the {noun} is called {name!r} by its file, and {said!r} here"
        yield from site.diagnose(Finding(("name",), "HG1010", message, "remove the key or rename the file"))


def check_files(draft: Draft) -> Located:
    """Files that manifests name are in the tree."""
    blamed = {each.path for each in draft.tree.diagnostics}
    for agent in draft.agents.values():
        for index, path in enumerate(agent.spec.context if agent.spec else ()):
            if path not in draft.tree.files and path not in blamed:
                yield from agent.site.diagnose(_absent(draft, path, ("context", index)))
    for item in (*draft.providers.values(), *draft.tools.values()):
        for path in item.files:
            if path not in draft.tree.files and path not in blamed:
                yield from item.site.diagnose(_absent(draft, path, (*item.site.key, *_key_of(item.site, path))))


def _absent(draft: Draft, path: str, key: Key) -> Finding:
    plain = str(PurePosixPath(path))
    if plain != path and plain in draft.tree.files:
        hint = f"write {plain!r}"
    elif PurePosixPath(path).is_absolute() or ".." in PurePosixPath(path).parts:
        hint = "write its path from the root of the tree; files outside the tree cannot be named"
    else:
        guess = suggest(path, draft.tree.files)
        hint = f"did you mean {guess!r}?" if guess else "add it; paths begin at the root of the tree"
    return Finding(key, "HG1103", f"the tree has no file {path!r}", hint)


def _key_of(site: Site, value: str) -> Key:
    body: Any = site.document.body
    for part in site.key:
        body = body[part]
    return next(((name,) for name, held in body.items() if held == value), ())
