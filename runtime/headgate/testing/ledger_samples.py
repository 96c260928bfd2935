"""Valid records for tests of the ledger, of which a test changes what it is about."""

from __future__ import annotations

from typing import Any, TypeVar

from headgate.core.events import Event, TextDelta, ThinkingDelta
from headgate.core.messages import Message, Text, Usage
from headgate.stores.records import (
    Lease,
    NewRun,
    Parked,
    Produced,
    Progress,
    RunEndRecord,
    SessionRecord,
    StepCommit,
    StepRecord,
    new_run_id,
    new_session_id,
)
from headgate.stores.told import Told
from headgate.stores.waits import Answer, Opened, WaitRecord, new_wait_id

E = TypeVar("E", bound=Event)
LEASE = Lease("me", 60.0)
"""A minute for the owner `me`."""


def said(text: str) -> Message:
    """What a user says."""
    return Message("user", (Text(text),))


def answered(text: str) -> Message:
    """What a model answers."""
    return Message("assistant", (Text(text),))


def a_session(**changes: Any) -> SessionRecord:
    """An open session of the key `local`, made at 100 and valid until 200."""
    fields = {"principal": "local", "key_digest": "d" * 64, "agent": "clerk", "created_at": 100.0, "expires_at": 200.0}
    return SessionRecord(**{"id": new_session_id(), **fields, **changes})


def a_run(**changes: Any) -> NewRun:
    """A run of the agent `clerk` that begins with one message, without a session."""
    fields = {"agent": "clerk", "principal": "local", "key_digest": "d" * 64, "team": "ops"}
    more = {"revision": "r1", "model": "m1", "created_at": 100.0, "messages": (said("hello"),)}
    return NewRun(**{"id": new_run_id(), **fields, **more, **changes})


def a_step(n: int, **changes: Any) -> StepRecord:
    """A model turn that took a second."""
    fields = {"kind": "model", "name": "m1", "started_at": 101.0, "ended_at": 102.0, "usage": Usage(input=3, output=5)}
    return StepRecord(**{"n": n, **fields, **changes})


def a_commit(run_id: str, n: int = 1, **changes: Any) -> StepCommit:
    """The `n`th turn of a run, which answered `turn n`."""
    fields = {
        "progress": Progress(turns=n, usage=Usage(input=3 * n, output=5 * n), cost=0.25 * n, answer=f"turn {n}"),
        "steps": (a_step(n),),
        "messages": (Produced(answered(f"turn {n}"), n),),
    }
    return StepCommit(**{"run_id": run_id, "fence": 1, **fields, **changes})


def an_end(run_id: str, **changes: Any) -> RunEndRecord:
    """The end of a run that succeeded after one turn, whose step is committed already."""
    fields = {
        "state": "completed",
        "outcome": "success",
        "ended_at": 110.0,
        "progress": Progress(turns=1, answer="turn 1"),
    }
    return RunEndRecord(**{"run_id": run_id, "fence": 1, **fields, **changes})


def a_wait(run_id: str, **changes: Any) -> WaitRecord:
    """A question of the run's second step, whether its call may be made; it was asked at 100 and expires at 200."""
    fields = {"step": 2, "call_id": "c1", "kind": "approval", "tool": "refund", "args": {"sum": 5}, "args_hash": "h"}
    whose = {"session_id": None, "agent": "clerk", "principal": "local", "team": "ops"}
    times = {"created_at": 100.0, "expires_at": 200.0}
    return WaitRecord(**{"id": new_wait_id(), "run_id": run_id, **fields, **whose, **times, **changes})


def asked(wait: WaitRecord, *events: Event, fence: int = 1) -> Opened:
    """The wait as it begins."""
    return Opened(fence=fence, wait=wait, told=Told(events))


def an_answer(wait_id: str, **changes: Any) -> Answer:
    """A yes at 150."""
    return Answer(**{"wait_id": wait_id, "state": "approved", "at": 150.0, **changes})


def a_park(run_id: str, *waits: str, **changes: Any) -> Parked:
    """A run that can only wait."""
    return Parked(**{"run_id": run_id, "fence": 1, "progress": Progress(turns=1), "waits": waits, **changes})


def at(n: int, event: E, fence: int = 1) -> E:
    """The event with this number and time, as the recorder stamps it."""
    event.n, event.fence, event.at = n, fence, float(n)
    return event


def deltas(first: int, *texts: str, step: int = 1, fence: int = 1) -> tuple[TextDelta | ThinkingDelta, ...]:
    """Deltas numbered from `first`; a text in brackets is a thought."""
    return tuple(at(n, _delta(text, step), fence) for n, text in enumerate(texts, first))


def _delta(text: str, step: int) -> TextDelta | ThinkingDelta:
    return ThinkingDelta(text=text[1:-1], step=step) if text.startswith("[") else TextDelta(text=text, step=step)
