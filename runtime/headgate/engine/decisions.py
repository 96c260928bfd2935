"""How often each policy decided what, since the process began: also where nothing came of it (`warn`, `audit`)."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from headgate.core.context import Action, Mode


class Decision(NamedTuple):
    """What is counted."""

    policy: str
    action: Action
    mode: Mode


@dataclass(frozen=True, slots=True)
class Decisions:
    """The counters of all policies; a policy that no revision has any more keeps its own."""

    counts: Counter[Decision] = field(default_factory=Counter)

    def count(self, policy: str, action: Action, mode: Mode) -> None:
        """One more of these decisions."""
        self.counts[Decision(policy, action, mode)] += 1

    def shown(self) -> list[dict[str, Any]]:
        """The JSON form, sorted by policy."""
        return [{**decision._asdict(), "count": count} for decision, count in sorted(self.counts.items())]
