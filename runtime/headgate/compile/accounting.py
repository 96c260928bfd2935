"""The typed form of `[audit]` and `[budgets]`: what is written down, and what may be spent."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema

from headgate.core.kind import Spec
from headgate.core.scalars import WINDOW, Patience, seconds

CALENDAR = ("calendar_day", "calendar_month")


def _window(value: Any) -> Any:
    return value if value in CALENDAR else seconds(value)


Window = Annotated[
    Literal["calendar_day", "calendar_month"] | float,
    BeforeValidator(_window),
    WithJsonSchema({"type": "string", "pattern": WINDOW, "examples": ["1d", *CALENDAR]}),
]
"""Seconds, written as a duration; or a day or month of the calendar."""


class Audit(Spec):
    """What the audit log says."""

    arguments: Literal["shapes", "hashes", "values"] = "shapes"
    """What is written down of the arguments of a tool call: the type and length of each, one SHA-256 over all of them,
    or the arguments themselves."""


class Budget(Spec):
    """What one key, team or session may use. A run that reaches it ends after the turn that does, and no new one is
    begun until the window has room again."""

    usd: Annotated[float, Field(gt=0)] | None = None
    """Cost in USD of all model turns in the window; every model needs a price."""
    tokens: Annotated[int, Field(ge=1)] | None = None
    """Tokens of all model turns in the window: input, output and what is written to or read from a cache."""
    turns: Annotated[int, Field(ge=1)] | None = None
    """Model turns in the window; tries that were broken off do not count."""
    time: Patience | None = None
    """How long all runs together may go on in the window, models and tools included; time in which a run waits for
    somebody is none."""
    window: Window = 86400.0
    """Over which time is counted: a duration that goes along with the clock, or `calendar_day` or `calendar_month`, in
    UTC."""


class Budgets(Spec):
    """What may be used over all runs, whatever each of them may use by itself."""

    per_key: Budget | None = None
    """What each key may use."""
    per_team: Budget | None = None
    """What the keys of each team may use together."""
    per_session: Budget | None = None
    """What each session may use."""
