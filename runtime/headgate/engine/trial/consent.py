"""In inline tests nobody is there to be asked: a call that a policy would hold is made."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from headgate.compile.approvals import Approvals
from headgate.compile.rulings import Case, Ruling


class Consent(Approvals):
    """Policies under which everybody says yes; what is denied stays denied."""

    def __init__(self, approvals: Approvals) -> None:
        super().__init__()
        self._approvals = approvals

    def under(self, profiles: Iterable[str]) -> Approvals:
        """See `Approvals.under`."""
        return Consent(self._approvals.under(profiles))

    def ruling(self, case: Case, /) -> Ruling:
        """See `Approvals.ruling`; `ask` becomes `allow`."""
        found = self._approvals.ruling(case)
        return replace(found, decide="allow") if found.decide == "ask" else found
