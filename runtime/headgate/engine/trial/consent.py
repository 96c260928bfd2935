"""In inline tests nobody is there to be asked: a call that a policy would hold is made."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from headgate.compile.approvals import Approvals
from headgate.compile.rulings import Ruling
from headgate.core.context import RunContext
from headgate.core.ports import ToolDefinition


class Consent(Approvals):
    """Policies under which everybody says yes; what is denied stays denied."""

    def __init__(self, approvals: Approvals) -> None:
        super().__init__()
        self._approvals = approvals

    def under(self, profiles: Iterable[str]) -> Approvals:
        """See `Approvals.under`."""
        return Consent(self._approvals.under(profiles))

    def ruling(self, tool: ToolDefinition, args: Mapping[str, Any], within: RunContext, /) -> Ruling:
        """See `Approvals.ruling`; `ask` becomes `allow`."""
        found = self._approvals.ruling(tool, args, within)
        return replace(found, decide="allow") if found.decide == "ask" else found
