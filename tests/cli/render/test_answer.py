"""What is left of a run: the answer, all that was said, the calls, and the end."""

from __future__ import annotations

from headgate.cli.render.answer import Answer
from headgate.core.events import (
    AttemptStarted,
    Event,
    MessageCompleted,
    RunCancelled,
    RunCompleted,
    RunStarted,
    TextDelta,
    ToolStarted,
)
from headgate.core.messages import ErrorInfo, Usage

CALL = ToolStarted(call_id="c", name="t", args={}, index=0)
RETRY = AttemptStarted(attempt=1, reason=ErrorInfo("late", "too late"), delay=0.0, model="m")
END = RunCompleted(outcome="success", usage=Usage(input=1, output=2), cost=0.5, turns=2)


def answer(*events: Event) -> Answer:
    """What is left of these events."""
    collected = Answer("helper")
    for event in events:
        collected.add(event)
    return collected


def test_text() -> None:
    """The answer is the last turn's text; all turns are what was said; void text is in neither."""
    told = answer(TextDelta(text="Look. "), CALL, TextDelta(text="no"), RETRY, TextDelta(text="Yes"), END)
    assert (told.text, told.said) == ("Yes", "Look. Yes")


def test_silent_end() -> None:
    """A run whose last turn said nothing has the text of the last turn that did."""
    assert answer(TextDelta(text="Look. "), CALL, END).text == "Look. "


def test_broken_off() -> None:
    """What was said before a cancellation stays, with the reason as the error."""
    end = RunCancelled(outcome="cancelled", usage=Usage(), cost=0.0, turns=0, reason="interrupted")
    told = answer(TextDelta(text="Lo"), end)
    assert (told.said, told.outcome, told.error) == ("Lo", "cancelled", ErrorInfo("cancelled", "interrupted"))


def test_unknown() -> None:
    """What is not known is null in the report, and a call without an end has the status unknown."""
    end = RunCancelled(outcome="cancelled", usage=Usage(), cost=0.0, turns=1, reason="interrupted")
    told = answer(CALL, end).report()
    assert [told[name] for name in ("run", "revision", "model", "usage", "cost")] == [None] * 5
    assert told["tools"] == [{"name": "t", "status": "unknown", "duration_ms": None}]


def test_fallback() -> None:
    """The model is the one that answered."""
    started = RunStarted(run="run_1", agent="helper", revision="r", model="first")
    done = MessageCompleted(text="x", usage=Usage(), model="second")
    assert answer(started, TextDelta(text="x"), done, END).report()["model"] == "second"
