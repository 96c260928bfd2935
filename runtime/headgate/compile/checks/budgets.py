"""Rules of budgets across runs: each limits something, over a time of which the usage is kept."""

from __future__ import annotations

from collections.abc import Iterator

from headgate.compile.accounting import Budget
from headgate.compile.checks.prices import unpriced
from headgate.compile.draft import Draft
from headgate.core.kind import Finding, Key
from headgate.core.scalars import duration_text
from headgate.manifest.diagnostics import Diagnostic

Located = Iterator[Diagnostic]
_LIMITS = ("usd", "tokens", "turns", "time")
_MINUTE = 60.0
_MONTH = 31 * 86400.0


def check_budgets(draft: Draft) -> Located:
    """Every budget names a limit, and a window that can be kept; one in USD needs a price for every model."""
    if draft.gateway is None or draft.gateway_site is None:
        return
    for name in ("per_key", "per_team", "per_session"):
        budget: Budget | None = getattr(draft.gateway.budgets, name)
        if budget is None or not draft.knows("budgets", name):
            continue
        for finding in _wrong(draft, ("budgets", name), budget):
            yield from draft.gateway_site.diagnose(finding)


def _wrong(draft: Draft, key: tuple[str, str], budget: Budget) -> Iterator[Finding]:
    known = all(draft.knows(*key, name) for name in _LIMITS)
    if known and all(getattr(budget, name) is None for name in _LIMITS):
        yield Finding(key, "HG1206", "the budget limits nothing", "set usd, tokens, turns or time")
    window = _MONTH if isinstance(budget.window, str) else budget.window
    kept = draft.gateway.retention.usage if draft.gateway else window
    if window < _MINUTE:
        yield Finding((*key, "window"), "HG1401", "a window is at least a minute", "write 1m or more")
    elif window > kept and draft.knows("retention", "usage"):
        hint = f"keep it longer, or count over at most {duration_text(kept)}"
        yield Finding((*key, "window"), "HG1401", "the usage is not kept that long by [retention] usage", hint)
    if budget.usd is not None:
        yield from _prices(draft, (*key, "usd"))


def _prices(draft: Draft, key: Key) -> Iterator[Finding]:
    for target in unpriced(draft, draft.agents.values()):
        model = "the default model" if target.model == "auto" else f"model {target.model!r}"
        message = f"the budget cannot be kept: {model} of provider {target.provider!r} has no known price"
        hint = f"add it to prices of [providers.{target.provider}], or limit tokens"
        yield Finding(key, "HG1401", message, hint)
