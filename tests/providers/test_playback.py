"""Which turn of a script is next."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from headgate.core.messages import Message, Text
from headgate.providers.playback import cue
from headgate.providers.script import parse_script
from tests.providers.samples import answer, assistant, call, user

SAID = assistant(Text("..."))
CALLED = assistant(call())


def text(script: list[dict[str, Any]], messages: Sequence[Message], attempt: int = 0) -> str | int | None:
    """The text or the error of the turn that is next."""
    found = cue(parse_script(script), messages, attempt)
    if found is None:
        return None
    return found.turn.error or found.turn.text or found.turn.all_calls[0].call


def test_in_order() -> None:
    """Turns without a condition are played one after the other within a run, and then the script is exhausted."""
    script = [{"call": "lookup"}, {"text": "b"}]
    assert text(script, [user()]) == "lookup"
    assert text(script, [user(), CALLED, answer(1)]) == "b"
    assert text(script, [user(), CALLED, answer(1), SAID, answer(1)]) is None


def test_each_run_anew() -> None:
    """A new message of the user begins the script again."""
    assert text([{"text": "a"}, {"text": "b"}], [user(), SAID, user()]) == "a"


def test_user_contains() -> None:
    """The first turn whose words the user said is played, in any case, once."""
    script = [{"text": "plan", "when": {"user_contains": "PLAN"}}, {"text": "else"}]
    assert text(script, [user("Which plan?")]) == "plan"
    assert text(script, [user("Hello")]) == "else"
    assert text(script, [user("plan"), SAID, user("Hello")]) == "else"
    assert text(script, [user("plan"), SAID]) == "else"


def test_user_contains_amid_tools() -> None:
    """A turn that only looks at the user is no answer to tool results."""
    script = [
        {"call": "lookup", "when": {"user_contains": "plan"}},
        {"text": "never", "when": {"user_contains": "plan"}},
        {"text": "done"},
    ]
    assert text(script, [user("plan")]) == "lookup"
    assert text(script, [user("plan"), CALLED, answer(1)]) == "done"


@pytest.mark.parametrize(("result", "said"), [({"plan": "gold"}, "rich"), ({"plan": "basic"}, "poor"), (None, "poor")])
def test_result_contains(result: Any, said: str) -> None:
    """A condition on results looks at their JSON."""
    script = [{"call": "lookup"}, {"text": "rich", "when": {"result_contains": '"plan":"gold"'}}, {"text": "poor"}]
    assert text(script, [user(), CALLED, answer(result)]) == said


def test_result_contains_needs_results() -> None:
    """Without tool results such a turn is not played, and errors count as results."""
    script = [{"text": "oh", "when": {"result_contains": "no customer"}}, {"call": "lookup"}, {"text": "x"}]
    assert text(script, [user("no customer")]) == "lookup"
    assert text(script, [user(), CALLED, answer(error="no customer")]) == "oh"


def test_both_conditions() -> None:
    """All that is given must hold."""
    both = {"text": "yes", "when": {"user_contains": "a", "result_contains": "b"}}
    script = [{"call": "lookup"}, both, {"text": "no"}]
    assert text(script, [user("a"), CALLED, answer("b")]) == "yes"
    assert text(script, [user("z"), CALLED, answer("b")]) == "no"
    assert text(script, [user("a"), CALLED, answer("z")]) == "no"
    assert text([both, {"text": "no"}], [user("a")]) == "no"


def test_errors_are_used_up_by_attempts() -> None:
    """Every further attempt passes over one error more."""
    script = [{"error": 529}, {"error": 500}, {"text": "a"}]
    assert [text(script, [user()], attempt) for attempt in range(4)] == [529, 500, "a", "a"]


def test_errors_of_earlier_calls() -> None:
    """Errors that an earlier call met do not come again."""
    script = [{"error": 529}, {"call": "lookup"}, {"error": 500}, {"text": "a"}]
    messages = [user(), CALLED, answer(1)]
    assert [text(script, messages, attempt) for attempt in range(2)] == [500, "a"]


def test_pauses() -> None:
    """Pauses add up and lead to the next turn; an earlier call's pauses are over."""
    script = parse_script([{"delay": "1s"}, {"delay": "2s"}, {"call": "lookup"}, {"delay": "4s"}, {"text": "a"}])
    first, second = cue(script, [user()]), cue(script, [user(), CALLED, answer(1)])
    assert first is not None
    assert second is not None
    assert (first.pause, second.pause) == (3.0, 4.0)


def test_no_user_text() -> None:
    """A transcript without a text of the user is a run from its beginning."""
    assert text([{"text": "a"}], []) == "a"
    assert text([{"text": "a"}, {"text": "b"}], [CALLED, answer(1)]) == "b"
