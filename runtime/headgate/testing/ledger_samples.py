"""Valid records for tests of the ledger, of which a test changes what it is about."""

from __future__ import annotations

from typing import Any

from headgate.core.messages import Message, Text, Usage
from headgate.stores.records import (
    NewRun,
    Produced,
    Progress,
    RunEndRecord,
    SessionRecord,
    StepCommit,
    StepRecord,
    new_run_id,
    new_session_id,
)


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
    fields = {"agent": "clerk", "principal": "local", "team": "ops", "revision": "r1", "model": "m1"}
    return NewRun(**{"id": new_run_id(), **fields, "created_at": 100.0, "messages": (said("hello"),), **changes})


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
