"""What a model sees of the conversation before."""

from __future__ import annotations

import pytest

from headgate.core.events import RunState
from headgate.core.messages import Message, Text, ToolCall, ToolOutcome, ToolResult
from headgate.engine.transcript import answered, join
from headgate.stores.records import Exchange


def user(text: str) -> Message:
    return Message("user", (Text(text),))


def said(text: str) -> Message:
    return Message("assistant", (Text(text),))


CALL = Message("assistant", (Text("Let me see. "), ToolCall("c1", "look", {})))
RESULT = Message("user", (ToolOutcome("c1", "look", ToolResult(structured={"a": 1})),))


def exchange(n: int, answer: str = "Let me see. Done.", state: RunState = "completed") -> Exchange:
    """Run `n`, which was asked `q<n>` and made a tool call."""
    return Exchange(
        run_id=f"r{n}", answer=answer, state=state, posted=(user(f"q{n}"),), produced=(CALL, RESULT, said("Done."))
    )


def test_a_first_message() -> None:
    """Without a stored conversation all that was posted is new."""
    found = join((), (user("q1"),))
    assert (found.prior_run, found.messages) == (None, (user("q1"),))


@pytest.mark.parametrize(
    "posted",
    [[said("Let me see. Done.")], [said("  Let me see.\n\nDone. ")], [said("Let me see."), said("Done.")]],
    ids=["same", "white space", "in pieces"],
)
def test_history_that_repeats(posted: list[Message]) -> None:
    """A repeated answer stands for the stored messages, however its white space and pieces are."""
    found = join((exchange(1),), (user("q1"), *posted, user("q2")))
    assert (found.prior_run, found.posted) == ("r1", (user("q2"),))
    assert found.messages == (user("q1"), CALL, RESULT, said("Done."), user("q2"))


def test_a_later_divergence() -> None:
    """The conversation goes on from the last run that agrees."""
    posted = (user("q1"), said("Let me see. Done."), user("q2"), said("Other."), user("q3"))
    found = join((exchange(1), exchange(2)), posted)
    assert (found.prior_run, found.posted) == ("r1", posted[2:])


def test_the_same_question_again() -> None:
    """Asking again without the answer begins before that run."""
    found = join((exchange(1), exchange(2)), (user("q1"), said("Let me see. Done."), user("q2")))
    assert (found.prior_run, found.posted) == ("r1", (user("q2"),))


@pytest.mark.parametrize("heard", [[], [said("Let me")], [said("Let me see. Done.")]])
def test_a_run_that_was_cut_off(heard: list[Message]) -> None:
    """Of a run without a good end a client may have heard all, a part or nothing."""
    found = join((exchange(1, state="cancelled"),), (user("q1"), *heard, user("q2")))
    assert (found.prior_run, found.posted) == ("r1", (user("q2"),))


@pytest.mark.parametrize("heard", [[], [said("Let me")], [said("Something else")]])
def test_an_answer_that_was_edited(heard: list[Message]) -> None:
    """What the client posts in place of a whole answer is authoritative."""
    found = join((exchange(1),), (user("q1"), *heard, user("q2")))
    assert (found.prior_run, found.posted) == (None, (user("q1"), *heard, user("q2")))


def test_open_calls_are_answered() -> None:
    """A call without a result gets one, before whatever comes next."""
    found = list(answered([user("q"), CALL, user("next")]))
    assert [message.role for message in found] == ["user", "assistant", "user"]
    lost, text = found[2].parts
    assert isinstance(lost, ToolOutcome)
    assert (lost.call_id, lost.result.status, text) == ("c1", "cancelled", Text("next"))
    assert [message.role for message in answered([CALL])] == ["assistant", "user"]
    assert [message.role for message in answered([CALL, said("x")])] == ["assistant", "user", "assistant"]
