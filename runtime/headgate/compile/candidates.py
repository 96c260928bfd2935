"""Who makes a turn for a model reference: the model that it names, and then the fallbacks of its provider."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from headgate.compile.draft import Draft
from headgate.compile.naming import ModelTarget, find_model
from headgate.core.errors import ConfigError
from headgate.core.ports import Model, Provider
from headgate.providers.attempts import Attempts, Candidate


def candidates(
    draft: Draft, providers: Mapping[str, Provider], targets: Iterable[ModelTarget]
) -> list[tuple[str, Candidate]]:
    """The targets in order with the names of their providers, each followed by its provider's own fallbacks; none
    twice."""
    out: dict[tuple[str, str], Candidate] = {}
    queue = list(targets)
    while queue:
        target = queue.pop(0)
        provider = providers[target.provider]
        model = provider.default_model if target.model == "auto" else target.model
        if (target.provider, model) in out:
            continue
        spec = draft.providers[target.provider].spec
        out[target.provider, model] = Candidate(provider, model, spec.retry, spec.turn_timeout, target.provider)
        queue[:0] = [find_model(name, draft) or ModelTarget(name, "auto") for name in spec.fallback]
    return [(name, candidate) for (name, _), candidate in out.items()]


def model_for(draft: Draft, providers: Mapping[str, Provider], reference: str) -> Model:
    """The model of an object that asks one by itself: retries and fallbacks as everywhere, no interceptors."""
    target = find_model(reference, draft)
    if target is None or target.provider not in providers:
        raise ConfigError(f"there is no model {reference!r}")
    return Attempts([each for _, each in candidates(draft, providers, [target])])
