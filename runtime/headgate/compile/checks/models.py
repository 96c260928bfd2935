"""Rules of models: aliases, agents and fallbacks name models that can be had."""

from __future__ import annotations

from collections.abc import Iterator

from headgate.compile.draft import AgentSource, Draft
from headgate.compile.naming import find_model, unknown
from headgate.core.kind import Finding, Key
from headgate.manifest.diagnostics import Diagnostic

Located = Iterator[Diagnostic]


def check_models(draft: Draft) -> Located:
    """Aliases, agents and fallbacks name models that exist."""
    if draft.gateway is None or draft.gateway_site is None or not (draft.knows("providers") and draft.knows("models")):
        return
    for name, alias in draft.gateway.models.items():
        if alias.provider not in draft.provider_names:
            key = ("models", name, "provider")
            yield from draft.gateway_site.diagnose(unknown("provider", alias.provider, draft.provider_names, key))
    for item in draft.providers.values():
        for index, name in enumerate(getattr(item.spec, "fallback", ())):
            if name not in draft.provider_names:
                for finding in _reference(draft, name, (*item.site.key, "fallback", index), bare=True):
                    yield from item.site.diagnose(finding)
    for agent in draft.agents.values():
        for finding in _agent_models(draft, agent):
            yield from agent.site.diagnose(finding)


def check_asked_models(draft: Draft) -> Located:
    """Objects that ask models by themselves name models that exist."""
    if draft.gateway is None or not (draft.knows("providers") and draft.knows("models")):
        return
    for item in (*draft.tools.values(), *draft.interceptors.values()):
        for key, reference in item.models.items():
            for finding in _reference(draft, reference, (*item.site.key, *key)):
                yield from item.site.diagnose(finding)


def _agent_models(draft: Draft, agent: AgentSource) -> Iterator[Finding]:
    if agent.spec is None:
        return
    if agent.spec.model is not None:
        yield from _reference(draft, agent.spec.model, ("model",))
    elif find_model(None, draft) is None and not _may_have_default(draft):
        known = f"choose one of: {', '.join(sorted(draft.alias_names))}" if draft.alias_names else "name a model"
        hint = f"{known}, or declare [models.default] in gateway.toml"
        yield Finding(("model",), "HG1005", "missing key 'model': there is no default model", hint)
    for index, name in enumerate(agent.spec.fallback):
        yield from _reference(draft, name, ("fallback", index))


def _may_have_default(draft: Draft) -> bool:
    """Whether there would be a default if what is declared were in order."""
    return "default" in draft.alias_names | draft.provider_names or 1 in (
        len(draft.alias_names),
        len(draft.provider_names),
    )


def _reference(draft: Draft, name: str, key: Key, *, bare: bool = False) -> Iterator[Finding]:
    """What is wrong with one model reference; with `bare`, a provider alone would do too."""
    if name in draft.alias_names:
        yield from _allowed(draft, name, key)
        return
    provider, slash, model = name.partition("/")
    if slash and provider in draft.provider_names:
        if model:
            yield from _allowed(draft, name, key)
        else:
            yield Finding(key, "HG1004", f"{name!r} names no model", f"write {provider}/auto or {provider}/MODEL-ID")
    elif slash:
        yield unknown("provider", provider, draft.provider_names, key)
    elif bare:
        yield unknown("provider or model alias", name, draft.provider_names | draft.alias_names, key)
    else:
        yield _unknown_alias(draft, name, key)


def _unknown_alias(draft: Draft, name: str, key: Key) -> Finding:
    if name in draft.provider_names:
        return Finding(key, "HG1201", f"{name!r} is a provider, not a model", f"write {name}/auto or {name}/MODEL-ID")
    if draft.alias_names:
        return unknown("model alias", name, draft.alias_names, key)
    hint = "declare [models." + name + "] in gateway.toml, or write PROVIDER/MODEL-ID"
    return Finding(key, "HG1201", f"no model alias is called {name!r}", hint)


def _allowed(draft: Draft, reference: str, key: Key) -> Iterator[Finding]:
    target = find_model(reference, draft)
    spec = draft.providers[target.provider].spec if target and target.provider in draft.providers else None
    if target and spec is not None and target.model not in ("auto", spec.model) and not spec.allows(target.model):
        message = f"model {target.model!r} is not among allow_models of provider {target.provider!r}"
        yield Finding(key, "HG1401", message, f"it allows: {', '.join(spec.allow_models)}")


def check_fallback_cycles(draft: Draft) -> Located:
    """Providers do not fall back to each other in a circle; each circle is reported once, where it first closes."""
    done: set[str] = set()
    for start, item in draft.providers.items():
        for index, name in enumerate(getattr(item.spec, "fallback", ())):
            way = _way(draft, _provider(draft, name), start, (start,))
            if way and not done & set(way):
                done |= set(way)
                message = f"providers fall back in a circle: {' -> '.join((*way, start))}"
                key = (*item.site.key, "fallback", index)
                yield from item.site.diagnose(Finding(key, "HG1204", message, "remove one of these fallbacks"))


def _way(draft: Draft, name: str, goal: str, way: tuple[str, ...]) -> tuple[str, ...]:
    """The providers from the first of `way` on that lead from `name` to `goal`; empty when none do."""
    if name == goal:
        return way
    if name in way or name not in draft.providers:
        return ()
    nexts = [_provider(draft, each) for each in getattr(draft.providers[name].spec, "fallback", ())]
    return next((found for each in nexts if (found := _way(draft, each, goal, (*way, name)))), ())


def _provider(draft: Draft, name: str) -> str:
    target = find_model(name, draft)
    return target.provider if target else name
