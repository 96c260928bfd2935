"""What one policy says of one call: whether its condition is true of it, and for which qualifier it speaks."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, Literal

from headgate.core.context import Mode, RunContext
from headgate.core.ports import ToolDefinition
from headgate.expressions.activation import Activation, Facts
from headgate.expressions.condition import Condition, ConditionError, Text

Decision = Literal["allow", "ask", "deny"]
UnknownOutcome = Literal["tell_model", "ask"]

STRICTNESS: Mapping[Decision, int] = {"allow": 0, "ask": 1, "deny": 2}
"""Across layers the greatest wins."""


class Case:
    """One call as policies see it; its facts are converted once, when the first expression asks for them."""

    def __init__(self, tool: ToolDefinition, args: Mapping[str, Any], within: RunContext) -> None:
        self.tool = tool
        self._args = args
        self._within = within

    @property
    def team(self) -> str:
        """Whose session it is."""
        return self._within.session.team

    def changed(self, args: Mapping[str, Any]) -> Case:
        """The same call with other arguments."""
        return Case(self.tool, args, self._within)

    def about(self, args: Mapping[str, Any]) -> bool:
        """Whether these are the arguments of the call."""
        return args is self._args or args == self._args

    def meets(self, team: str | None, when: Condition | None, *, failed: bool) -> bool:
        """Whether a rule for this team, under this condition, is about the call: `failed` where the condition has no
        answer."""
        if team is not None and team != self.team:
            return False
        if when is None:
            return True
        try:
            return when.holds(self.activation)
        except ConditionError:
            return failed

    @cached_property
    def activation(self) -> Activation:
        """The facts."""
        within = self._within
        facts = Facts(
            tool=self.tool, args=self._args, agent=within.agent, session=within.session, now=datetime.now(UTC),
            turn=within.turn, cost_usd=within.cost, depth=within.depth, tainted=within.tainted,
        )  # fmt: skip
        return Activation.of(facts)


@dataclass(frozen=True, slots=True)
class Policy:
    """What one policy says of the tools that it covers.

    `when` is of which calls, `mode` whether it counts. `remember` is whether an answer may hold until the session ends,
    for the calls with the same `qualifier`; `timeout` the seconds that there are to answer, `approvers` the teams or
    keys that may (everybody with the scope when empty), `quorum` how many of them must. `team` is the one for whose
    sessions alone it holds.
    """

    name: str
    decide: Decision
    remember: bool
    timeout: float
    approvers: tuple[str, ...]
    on_unknown_outcome: UnknownOutcome | None
    quorum: int = 1
    when: Condition | None = None
    qualifier: Text | None = None
    mode: Mode = "enforce"
    team: str | None = None

    def holds(self, case: Case, *, failed: bool | None = None) -> bool:
        """Whether the policy is about the call. A condition that has no answer is `failed`: unless that is given, it
        counts as true where the policy holds or refuses calls, and as false where it lets them pass."""
        return case.meets(self.team, self.when, failed=self.decide != "allow" if failed is None else failed)

    def qualified(self, case: Case) -> str | None:
        """What a remembered answer is confined to; None when the policy does not say, or has no answer for the call:
        an empty text is none."""
        if self.qualifier is None:
            return None
        try:
            return self.qualifier.value(case.activation) or None
        except ConditionError:
            return None

    def remembers(self, qualifier: str | None) -> bool:
        """Whether an answer may be remembered for calls with this qualifier."""
        return self.remember and (self.qualifier is None or qualifier is not None)

    def content(self, approvers: Collection[str], voters: Collection[str]) -> bool:
        """Whether the policy needs nobody else when these keys have approved, each of which is one of the `approvers`
        that were asked, or anybody when none were named."""
        within = not self.approvers or (bool(approvers) and set(approvers) <= set(self.approvers))
        return len(set(voters) if within else set(voters) & set(self.approvers)) >= self.quorum

    @property
    def demand(self) -> tuple[bool, int]:
        """Of policies that ask, the greatest demand is asked first, since that may content the others too."""
        return bool(self.approvers), self.quorum


@dataclass(frozen=True, slots=True)
class Ruling:
    """What becomes of a call, and the policy that says so; without one nothing covers the tool, and it is allowed.

    `qualifier` is what the policy makes of the call. `watched` are the policies that would have been stricter, if they
    counted. Of a call that is held, `asking` are the policies of all layers that hold it, the greatest demand first:
    each wants its answer.
    """

    decide: Decision
    policy: Policy | None
    qualifier: str | None = None
    watched: tuple[Policy, ...] = ()
    asking: tuple[Policy, ...] = ()
