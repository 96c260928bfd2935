"""What the gateway says of itself: conditions in the manner of Kubernetes, each with a reason and a message."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from headgate.manifest.diagnostics import Diagnostic

ConditionType = Literal[
    "Ready", "Accepted", "Degraded", "RestartRequired", "Demo", "ToolsApproved", "ServersReady", "DocumentsFit"
]


@dataclass(frozen=True, slots=True)
class Condition:
    """One aspect of the state; `since` is when `status` last changed, in epoch seconds."""

    type: ConditionType
    status: bool
    reason: str
    message: str
    since: float

    def shown(self) -> dict[str, Any]:
        """The JSON form."""
        return {
            "type": self.type,
            "status": "True" if self.status else "False",
            "reason": self.reason,
            "message": self.message,
            "since": self.since,
        }


@dataclass(slots=True)
class Status:
    """The conditions, the revisions they speak of, and the findings of the last attempt."""

    clock: Callable[[], float] = time.time
    live: str = ""
    attempted: str = ""
    diagnostics: tuple[Diagnostic, ...] = ()
    conditions: dict[str, Condition] = field(default_factory=dict)

    def set(self, kind: ConditionType, status: bool, reason: str, message: str = "") -> None:  # noqa: FBT001
        """Sets a condition; the time stays when only its words change."""
        held = self.conditions.get(kind)
        since = held.since if held is not None and held.status == status else self.clock()
        self.conditions[kind] = Condition(kind, status, reason, message, since)

    @property
    def degraded(self) -> bool:
        """Whether the gateway serves something else than what stands in the tree and what the API has made."""
        held, fit = self.conditions.get("Degraded"), self.conditions.get("DocumentsFit")
        return (held is not None and held.status) or (fit is not None and not fit.status)

    def scrubbed(self, scrub: Callable[[str], str]) -> tuple[Diagnostic, ...]:
        """The findings without secrets."""
        return tuple(replace(each, message=scrub(each.message), hint=scrub(each.hint)) for each in self.diagnostics)
