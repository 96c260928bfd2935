"""What people are shown before they answer is all of it, as it is."""

from __future__ import annotations

from typing import Any

import pytest

from headgate.cli.render import questions
from headgate.core.events import ApprovalRequested, ApprovalResolved, InputRequested


def asked(**members: Any) -> list[str]:
    """The lines for an approval with ten minutes left."""
    event = {"id": "w", "call_id": "c", "name": "pay", "args": {"sum": 5}, "args_hash": "", "policy": "money"}
    return questions.approval(ApprovalRequested(**event | {"expires_at": 700.0} | members), 100.0)


def test_approval() -> None:
    """The tool, the policy, each argument and the time are lines."""
    assert asked() == ["? pay needs an approval (policy money)", "    sum: 5", "    10 min 0 s left to answer"]


def test_labels() -> None:
    """Labels of the manifest stand in the place of names; qualifier and quorum are told."""
    lines = asked(shown=({"label": "The sum", "value": 5},), qualifier="EUR", quorum=2, policy="")
    assert lines[:2] == ['? pay needs an approval, for "EUR"', "    The sum: 5"]
    assert lines[2].endswith("; 2 approvals are needed")


def test_nothing_is_cut() -> None:
    """A long argument is shown to its end, where what matters may stand."""
    assert asked(args={"command": "x" * 9000 + "END"})[1].endswith('END"')


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("two\nlines", '"two\\nlines"'),
        ("\x1b[2J", '"\\u001b[2J"'),
        ("safe\u202egpj.exe", '"safe\\u202egpj.exe"'),
        ("a\u200bb\u00a0c", '"a\\u200bb\\u00a0c"'),
        ("Zürich 東京", '"Zürich 東京"'),
        ({"a": [1, None]}, '{"a": [1, null]}'),
    ],
)
def test_what_cannot_be_seen(value: object, shown: str) -> None:
    """Characters that hide or turn others are written as escapes, letters of every script as they are."""
    assert questions.exact(value) == shown


def test_unknown() -> None:
    """A call that was cut off is told as such."""
    event = InputRequested(
        id="w", kind="unknown_outcome", call_id="c", name="pay", args={"sum": 5}, expires_at=86_500.0
    )
    lines = questions.unknown(event, 100.0)
    assert lines[0] == "? pay was cut off, and it is not known whether it took effect"
    assert lines[1:] == ['    "sum": 5', "    24 h 0 min left to answer"]


@pytest.mark.parametrize(
    ("state", "by", "reason", "said"),
    [
        ("approved", "ops", "", "✓ pay: approved by ops"),
        ("denied", "ops", "too much", "✗ pay: denied by ops: too much"),
        ("expired", "", "", "✗ pay: expired"),
    ],
)
def test_resolved(state: Any, by: str, reason: str, said: str) -> None:
    """A settled question says how, by whom and why."""
    event = ApprovalResolved(id="w", call_id="c", name="pay", state=state, by=by, reason=reason)
    assert questions.resolved(event) == said


@pytest.mark.parametrize(
    ("seconds", "said"), [(-1, "0 s"), (59, "59 s"), (61, "1 min 1 s"), (7260, "2 h 1 min"), (259_200, "3 days")]
)
def test_left(seconds: float, said: str) -> None:
    """A time is told in its two greatest units."""
    assert questions.left(seconds) == said
