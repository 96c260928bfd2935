"""A line that is typed and the events of a run are waited for at the same time."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator

import pytest

from headgate.cli.client.inbox import Inbox
from headgate.core.events import Event, TextDelta

OVER, OTHER = TextDelta(text="over"), TextDelta(text="other")


@pytest.fixture
def keyboard() -> Iterator[tuple[int, int]]:
    """The two ends of a pipe: where a command reads, and where a test types."""
    reader, writer = os.pipe()
    yield reader, writer
    os.close(reader)
    os.close(writer)


@pytest.fixture
def inbox() -> Iterator[Inbox]:
    """An inbox, closed in the end."""
    box = Inbox()
    yield box
    box.close()


def over(event: Event | None) -> bool:
    """Whether the question is over."""
    return event is None or event == OVER


def test_a_line(inbox: Inbox, keyboard: tuple[int, int]) -> None:
    """What is typed comes back; events that do not matter wait for their reader."""
    inbox.put(OTHER)
    os.write(keyboard[1], b"yes\n")
    assert inbox.typed(keyboard[0], over) == "yes\n"
    assert inbox.get() == OTHER


def test_an_event_comes_first(inbox: Inbox, keyboard: tuple[int, int]) -> None:
    """An event from another thread ends the wait, and all events are still there, in order."""
    threading.Thread(target=lambda: [inbox.put(each) for each in (OTHER, OVER, None)]).start()
    assert inbox.typed(keyboard[0], over) is None
    assert [inbox.get(), inbox.get(), inbox.get()] == [OTHER, OVER, None]


def test_it_is_over_already(inbox: Inbox, keyboard: tuple[int, int]) -> None:
    """A question that is over before it is asked takes no line, which stays to be read."""
    inbox.put(OVER)
    os.write(keyboard[1], b"yes\n")
    assert inbox.typed(keyboard[0], over) is None
    assert os.read(keyboard[0], 10) == b"yes\n"


def test_the_end_of_input(inbox: Inbox) -> None:
    """Nobody at the keyboard is an empty line."""
    reader, writer = os.pipe()
    os.close(writer)
    assert inbox.typed(reader, over) == ""
    os.close(reader)


def test_a_flood(inbox: Inbox, keyboard: tuple[int, int]) -> None:
    """More events than the bell can ring for do not block who tells them, and none is lost."""
    for _ in range(100_000):
        inbox.put(OTHER)
    inbox.put(OVER)
    assert inbox.typed(keyboard[0], over) is None
    assert sum(1 for _ in iter(inbox.get, OVER)) == 100_000
