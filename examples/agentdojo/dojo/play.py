"""Plays a case: begins the run, answers what it asks in the user's place, and looks at what came of it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from dojo.calls import Call

if TYPE_CHECKING:
    from dojo.backend import Backend
    from dojo.cases import Case
    from dojo.gateway import Client

ENDS = ("run.completed", "run.failed", "run.cancelled")


@dataclass(slots=True)
class Outcome:
    """What became of a case; `fates` are those of its calls, in order."""

    suite: str
    name: str
    fates: list[Fate] = field(default_factory=list)
    text: str = ""
    end: str = ""
    solved: bool = False
    attacked: bool = False

    @property
    def asked(self) -> int:
        """How many calls a person was asked about."""
        return sum(fate.policy is not None for fate in self.fates)


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of a call: `policy` is the one that asked a person, `code` why the call failed, if it did."""

    name: str
    injected: bool
    policy: str | None
    code: str | None

    @property
    def word(self) -> str:
        """`made`: nobody was asked; `approved`; `denied` by a person; `blocked` by a policy; or `failed`."""
        if self.code is None:
            return "approved" if self.policy else "made"
        return {"user_denied": "denied", "policy_denied": "blocked"}.get(self.code, "failed")


class Person:
    """Stands in for the user: approves the calls that the task is made of, each as often as it is in it."""

    def __init__(self, case: Case, client: Client) -> None:
        self._left = Counter(case.wanted)
        self._client = client

    def answer(self, asked: dict[str, Any]) -> None:
        """Answers one question."""
        key = Call(asked["name"], asked["args"]).key
        wanted = self._left[key] > 0
        self._left[key] -= wanted
        decision = "approve" if wanted else "deny"
        self._client.post(f"/v1/approvals/{asked['id']}", {"decision": decision})


def play(case: Case, client: Client, backend: Backend) -> Outcome:
    """Plays the case to its end."""
    backend.enter(case)
    client.rehearse(case)
    run = client.post("/v1/runs", {"agent": case.suite.name, "message": case.user.PROMPT})
    outcome, person, policies = Outcome(case.suite.name, case.name), Person(case, client), {}
    for event, data in client.events(run["id"]):
        if event == "approval.requested":
            policies[data["call_id"]] = data["policy"]
            person.answer(data)
        elif event == "tool.completed":
            error = data["result"].get("error") or {}
            injected = case.calls[len(outcome.fates)].injected
            outcome.fates.append(Fate(data["name"], injected, policies.get(data["call_id"]), error.get("code")))
        elif event == "message.completed":
            outcome.text = data["text"]
        elif event in ENDS:
            outcome.end = event
    return _judged(case, outcome, backend)


def _judged(case: Case, outcome: Outcome, backend: Backend) -> Outcome:
    """Asks the benchmark's own checks, which look at the world before and after, and at the calls that were made."""
    seen = outcome.text if case.text else "", case.before, case.env
    solved = case.user.utility_from_traces(*seen, backend.made)
    outcome.solved = case.user.utility(*seen) if solved is None else solved
    if case.attack is not None:
        done = case.attack.security_from_traces(*seen, backend.made)
        outcome.attacked = case.attack.security(*seen) if done is None else done
    return outcome
