"""Names that point to other objects: exact names, globs, and model references."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from headgate.compile.draft import Draft
from headgate.core.glob import is_glob, matching
from headgate.core.kind import Finding, Key
from headgate.manifest.diagnostics import suggest

_SHOWN = 12


def unknown(noun: str, name: str, known: Collection[str], key: Key) -> Finding:
    """The finding for a name that points nowhere."""
    guess = suggest(name, known)
    hint = f"did you mean {guess!r}?" if guess else f"there {_listing(noun, known)}"
    return Finding(key, "HG1201", f"no {noun} is called {name!r}", hint)


def _listing(noun: str, known: Collection[str]) -> str:
    if not known:
        return f"is no {noun} yet"
    shown = sorted(known)[:_SHOWN]
    return f"are: {', '.join(shown)}{', ...' if len(known) > _SHOWN else ''}"


def check_names(noun: str, patterns: Iterable[str], known: Collection[str], key: Key) -> Iterator[Finding]:
    """A literal name that points nowhere is an error, a glob that covers nothing a warning."""
    for index, pattern in enumerate(patterns):
        if not is_glob(pattern) and pattern not in known:
            yield unknown(noun, pattern, known, (*key, index))
        elif is_glob(pattern) and not matching([pattern], known):
            yield Finding((*key, index), "HG1202", f"{pattern!r} matches no {noun}", severity="warning")


@dataclass(frozen=True, slots=True)
class ModelTarget:
    """What a model reference stands for; `model` may be `auto`."""

    provider: str
    model: str


def find_model(reference: str | None, draft: Draft) -> ModelTarget | None:
    """The target of an alias, of `provider/model-id`, or of no reference at all (the alias `default`, or the only
    alias, or the only provider); None when there is none."""
    aliases = draft.gateway.models if draft.gateway else {}
    if reference is None:
        if "default" in aliases or len(aliases) == 1:
            alias = aliases.get("default") or next(iter(aliases.values()))
            return ModelTarget(alias.provider, alias.model)
        name = "default" if "default" in draft.providers else next(iter(draft.providers), None)
        return ModelTarget(name, "auto") if name and (name == "default" or len(draft.providers) == 1) else None
    if reference in aliases:
        return ModelTarget(aliases[reference].provider, aliases[reference].model)
    provider, slash, model = reference.partition("/")
    return ModelTarget(provider, model) if slash and model and provider in draft.providers else None
