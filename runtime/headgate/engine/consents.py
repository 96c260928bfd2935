"""Which of the policies that hold a call have the answers that they want.

Each layer may hold a call, and people may have been asked under a revision that wanted less, or about other arguments.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from headgate.compile.rulings import Case, Policy
from headgate.engine.edits import bound_hash
from headgate.stores.waits import Grant, WaitRecord


def unapproved(asking: Iterable[Policy], waits: Iterable[WaitRecord], args_hash: str) -> list[Policy]:
    """The policies that want more people than have approved the arguments with this hash."""
    held = [wait for wait in waits if wait.state == "approved" and bound_hash(wait) == args_hash]
    return [policy for policy in asking if not any(_contents(policy, wait) for wait in held)]


def _contents(policy: Policy, wait: WaitRecord) -> bool:
    return policy.content(wait.approvers, {vote.by for vote in wait.votes if vote.decision == "approve"})


@dataclass(frozen=True, slots=True)
class Remembered:
    """What is remembered of a session, for the policies that hold one call."""

    asking: Sequence[Policy]
    case: Case
    grants: Collection[Grant]

    def unanswered(self, policies: Iterable[Policy]) -> Policy | None:
        """The first of the policies for which nothing is remembered that covers the call."""
        return next((policy for policy in policies if not self._covers(policy)), None)

    def _covers(self, policy: Policy) -> bool:
        """A remembered answer of another policy does as well, where that wants as much and speaks of the same calls."""
        qualifier = policy.qualified(self.case)
        if not policy.remembers(qualifier):
            return False
        return self._granted(policy) or any(
            other.demand >= policy.demand
            and _as_strict(other, policy)
            and (policy.qualifier is None or other.qualified(self.case) == qualifier)
            and self._granted(other)
            for other in self.asking
            if other is not policy
        )

    def _granted(self, policy: Policy) -> bool:
        qualifier = policy.qualified(self.case)
        wanted = (policy.name, self.case.tool.name, qualifier or "")
        held = any((grant.policy, grant.tool, grant.qualifier) == wanted for grant in self.grants)
        return held and policy.remembers(qualifier)


def _as_strict(other: Policy, policy: Policy) -> bool:
    return not policy.approvers or (bool(other.approvers) and set(other.approvers) <= set(policy.approvers))
