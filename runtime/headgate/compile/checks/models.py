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
    if draft.gateway is None or draft.gateway_site is None:
        return
    for name, alias in draft.gateway.models.items():
        if alias.provider not in draft.providers:
            key = ("models", name, "provider")
            yield draft.gateway_site.diagnose(unknown("provider", alias.provider, draft.providers, key))
    for item in draft.providers.values():
        for index, name in enumerate(getattr(item.spec, "fallback", ())):
            if find_model(name, draft) is None and name not in draft.providers:
                yield item.site.diagnose(_unknown_model(draft, name, (*item.site.key, "fallback", index)))
    for agent in draft.agents.values():
        yield from _agent_models(draft, agent)


def _agent_models(draft: Draft, agent: AgentSource) -> Located:
    if agent.spec is None:
        return
    if find_model(agent.spec.model, draft) is None:
        if agent.spec.model is None:
            hint = "name a model, or declare the alias [models.default]"
            yield agent.site.diagnose(Finding((), "HG1005", "missing key 'model': there is no default model", hint))
        else:
            yield agent.site.diagnose(_unknown_model(draft, agent.spec.model, ("model",)))
    yield from (agent.site.diagnose(each) for each in _allowed(draft, agent.spec.model, ("model",)))
    for index, name in enumerate(agent.spec.fallback):
        if find_model(name, draft) is None:
            yield agent.site.diagnose(_unknown_model(draft, name, ("fallback", index)))
        yield from (agent.site.diagnose(each) for each in _allowed(draft, name, ("fallback", index)))


def _allowed(draft: Draft, reference: str | None, key: Key) -> Iterator[Finding]:
    target = find_model(reference, draft)
    spec = draft.providers[target.provider].spec if target and target.provider in draft.providers else None
    if target and spec is not None and target.model not in ("auto", spec.model) and not spec.allows(target.model):
        allowed = ", ".join(spec.allow_models)
        yield Finding(key, "HG1401", f"{target.model!r} is not among allow_models of {target.provider}: {allowed}")


def _unknown_model(draft: Draft, name: str, key: Key) -> Finding:
    aliases = draft.gateway.models if draft.gateway else {}
    return unknown("model alias", name, [*aliases, *(f"{each}/auto" for each in draft.providers)], key)


def check_fallback_cycles(draft: Draft) -> Located:
    """Providers do not fall back to each other in a circle."""
    for start, item in draft.providers.items():
        seen, queue = set(), [start]
        while queue:
            current = draft.providers.get(queue.pop())
            for name in getattr(current.spec, "fallback", ()) if current else ():
                target = find_model(name, draft)
                queue += [each for each in [target.provider if target else name] if each not in seen]
                seen.add(target.provider if target else name)
        if start in seen:
            message = f"provider {start!r} falls back to itself"
            yield item.site.diagnose(Finding((*item.site.key, "fallback"), "HG1204", message, "break the circle"))
