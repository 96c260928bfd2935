"""Rules of budgets: a budget in USD can be kept only where every model has a price."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from headgate.compile.draft import AgentSource, Draft
from headgate.compile.naming import ModelTarget, find_model
from headgate.core.glob import is_glob
from headgate.core.kind import Finding, Key
from headgate.manifest.diagnostics import Diagnostic

Located = Iterator[Diagnostic]


def check_prices(draft: Draft) -> Located:
    """Every model that an agent with a budget may come to use, by its name or by fallback, has a price."""
    if draft.gateway is None or not (draft.knows("providers") and draft.knows("models")):
        return
    for agent in draft.agents.values():
        key = _budget(agent)
        for target in unpriced(draft, [agent]) if key else ():
            model = "the default model" if target.model == "auto" else f"model {target.model!r}"
            message = f"budget_usd cannot be kept: {model} of provider {target.provider!r} has no known price"
            hint = f"add it to prices of [providers.{target.provider}], or limit budget_tokens"
            yield from agent.site.diagnose(Finding(key, "HG1401", message, hint))


def unpriced(draft: Draft, agents: Iterable[AgentSource]) -> Iterator[ModelTarget]:
    """The models without a known price that the agents may come to use, each once."""
    if draft.gateway is not None and draft.knows("providers") and draft.knows("models"):
        reached = dict.fromkeys(target for agent in agents for target in _reached(draft, agent))
        yield from (target for target in reached if not _priced(draft, target))


def _budget(agent: AgentSource) -> Key:
    """The key of the first budget in USD; empty when the agent has none."""
    if agent.spec is None:
        return ()
    if agent.spec.budget_usd is not None:
        return ("budget_usd",)
    limited = (name for name, profile in agent.spec.profiles.items() if profile.budget_usd is not None)
    return next((("profiles", name, "budget_usd") for name in limited), ())


def _reached(draft: Draft, agent: AgentSource) -> Iterable[ModelTarget]:
    """What the agent names, what a request may choose by its full name, and where their providers fall back to."""
    if agent.spec is None:
        return ()
    first = find_model(agent.spec.model, draft)
    queue = [first, *(find_model(name, draft) for name in agent.spec.fallback)]
    if first is not None:
        queue += [ModelTarget(first.provider, model) for model in _choices(draft, first.provider)]
    out: dict[ModelTarget, None] = {}
    while queue:
        target = queue.pop(0)
        if target is None or target in out or target.provider not in draft.providers:
            continue
        out[target] = None
        fallback = getattr(draft.providers[target.provider].spec, "fallback", ())
        queue += [find_model(name, draft) or ModelTarget(name, "auto") for name in fallback]
    return out


def _choices(draft: Draft, provider: str) -> list[str]:
    held = draft.providers.get(provider)
    return [model for model in getattr(held and held.spec, "allow_models", ()) if not is_glob(model)]


def _priced(draft: Draft, target: ModelTarget) -> bool:
    spec = draft.providers[target.provider].spec
    return spec is None or bool(spec.priced(target.model))
