"""The keys that every provider kind has: which models it serves, and what happens when a turn fails."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from headgate.core.errors import ProviderError
from headgate.core.glob import covers
from headgate.core.kind import Spec
from headgate.core.scalars import Patience

Thinking = Literal["off", "adaptive", "low", "medium", "high"] | Annotated[int, Field(ge=1024)]
"""How much a model may think: not at all, as it sees fit, with an effort, or with a budget in tokens."""

BACKOFF = 1.0
"""Seconds, before the first retry."""


class Retry(Spec):
    """How often a failed turn is made again at the same provider."""

    max: int = Field(default=2, ge=0, le=10)
    """How many retries follow the first try; 0 switches retries off."""
    backoff: Patience = BACKOFF
    """The longest pause before the first retry; it doubles with every further one, and the pause taken is random."""


class ProviderSpec(Spec):
    """What the compiler reads of every provider, whatever its kind."""

    model: str | None = Field(default=None, min_length=1)
    """The model that `model = "auto"` stands for."""
    allow_models: tuple[str, ...] = ()
    """The model ids that may be asked for, as globs; empty: any. The default model always may."""
    turn_timeout: Patience = 600.0
    """How long a model turn may take at this provider, its retries and their pauses included."""
    retry: Retry = Retry()
    """How often a failed turn is made again."""
    fallback: tuple[str, ...] = ()
    """Providers or model aliases that take over, in this order, when this one cannot answer."""

    def allows(self, model: str) -> bool:
        """Whether `allow_models` covers this model id."""
        return not self.allow_models or any(covers(each, model) for each in self.allow_models)

    def priced(self, model: str) -> bool:  # noqa: ARG002 -- what a script plays costs nothing
        """Whether the cost of this model, or of the default one for `auto`, is known before it is asked."""
        return True

    def require(self, model: str, default: str) -> None:
        """Raises the error for a model id that may not be asked for."""
        if model != default and not self.allows(model):
            raise ProviderError(f"model {model!r} is not among allow_models", code="provider_invalid_request")
