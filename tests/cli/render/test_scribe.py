"""Every event that a run can tell is shown, or left out on purpose."""

from __future__ import annotations

import io
from typing import get_args

from headgate.cli.render.screen import Plain
from headgate.cli.render.scribe import TELLERS, Scribe
from headgate.core.events import AnyEvent, Custom, PolicyDecided, ThinkingDelta, ToolCompleted, ToolOutput
from headgate.core.messages import ToolResult


def test_every_event() -> None:
    """The table has a line for every type of event."""
    assert set(get_args(AnyEvent)) == set(TELLERS)


def shown(*events: ToolOutput | Custom | PolicyDecided | ToolCompleted | ThinkingDelta) -> str:
    """What these events are among the lines about a run."""
    out, err = io.StringIO(), io.StringIO()
    scribe = Scribe(Plain(out, err), thinking=True)
    for event in events:
        scribe.tell(event)
    return err.getvalue()


def test_output() -> None:
    """What a running tool prints is shown line by line under its name."""
    event = ToolOutput(call_id="c", name="build", stream="stdout", text="one\ntwo\x1b[2J\n", seq=1)
    assert shown(event) == "  build | one\n  build | two[2J\n"


def test_custom() -> None:
    """What a tool tells is shown with its kind and data."""
    assert shown(Custom(call_id="c", name="t", kind="progress", data={"done": 1})) == '  progress {"done":1}\n'


def test_decided() -> None:
    """What an interceptor found is shown with the tool, its name and its reason."""
    event = PolicyDecided(policy="slow-down", action="deny", code="rate_limited", message="wait", mode="warn", name="t")
    assert shown(event) == "⚑ t: slow-down (only a warning): wait\n"


def test_thinking_before_a_call() -> None:
    """A line about the run does not go on behind a piece of thinking."""
    done = ToolCompleted(call_id="c", name="t", result=ToolResult(structured=1), duration_ms=0)
    assert shown(ThinkingDelta(text="hmm"), done) == "hmm\n● t() → 1 (0 ms)\n"
