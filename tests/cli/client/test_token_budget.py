"""The note of a budget in tokens is all that the wire says of it, and it is read back as the limit that it is."""

from __future__ import annotations

from headgate.cli.client.frames import Frames
from headgate.cli.render.words import ending
from headgate.core.events import RunCompleted, TextDelta

NOTE = "\n\n[Budget limit reached: 1200 >= 1000 tokens]"


def test_the_note_is_a_limit() -> None:
    """It is no part of the answer, and the run's outcome is `budget`."""
    frames = Frames()
    assert isinstance(frames.read({"type": "text_delta", "text": "Hello"}), TextDelta)
    assert frames.read({"type": "text_delta", "text": NOTE}) is None
    end = frames.read({"type": "stream_complete", "usage": {}})
    assert isinstance(end, RunCompleted)
    assert (end.outcome, end.limit) == ("budget", {"limit": "budget_tokens", "tokens": 1200, "budget": 1000})
    assert ending(end) == "budget: the answer took 1200 tokens, the limit is 1000"


def test_the_model_may_speak_of_it() -> None:
    """A text that only mentions the note is the model's own."""
    frames = Frames()
    assert isinstance(frames.read({"type": "text_delta", "text": f"It said:{NOTE}"}), TextDelta)
    end = frames.read({"type": "stream_complete", "usage": {}})
    assert isinstance(end, RunCompleted)
    assert end.outcome == "success"
