"""Which turn of a script is next: computed from the transcript alone, so that playing has no state.

A run's part of the transcript begins at the user's last message of its own (text, no tool results). Every assistant
message after it was a model call, and the turn that it played is found by choosing again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from headgate.core.messages import Message, Text, ToolOutcome
from headgate.providers.script import Turn, When


@dataclass(frozen=True, slots=True)
class Scene:
    """What a choice depends on: the user's text, the latest tool results, and whether these are the last message."""

    user: str
    outcomes: tuple[ToolOutcome, ...]
    answering: bool

    @property
    def results(self) -> list[Any]:
        """The payloads of the latest tool results, as the model sees them."""
        return [outcome.result.payload for outcome in self.outcomes]

    def meets(self, when: When | None) -> bool:
        """Whether a turn with this condition may be played."""
        if when is None:
            return True
        if when.result_contains is not None:
            if when.result_contains not in self._shown():
                return False
        elif self.answering:
            # The user's words stay the same after a tool call, so the turn that made the call would match again.
            return False
        return when.user_contains is None or when.user_contains.casefold() in self.user.casefold()

    def _shown(self) -> str:
        payloads = self.results if self.answering else []
        return "\n".join(msgspec.json.encode(payload).decode("utf-8") for payload in payloads)


@dataclass(frozen=True, slots=True)
class Cue:
    """The turn to play, after `pause` seconds, in this scene."""

    turn: Turn
    pause: float
    scene: Scene


def cue(turns: Sequence[Turn], messages: Sequence[Message], attempt: int = 0) -> Cue | None:
    """The turn to play now; None when the script has none left that fits.

    `attempt` counts the restarts of this model call: so many errors that fit are passed over.
    """
    scenes = list(_scenes(messages))
    played: set[int] = set()
    for scene in scenes[:-1]:
        _replay(turns, played, scene)
    return _choose(turns, played, scenes[-1], attempt)


def _scenes(messages: Sequence[Message]) -> Iterator[Scene]:
    """The scene before every model call of the run, and the present one."""
    start = _start(messages)
    user = messages[start].text if start < len(messages) else ""
    outcomes: tuple[ToolOutcome, ...] = ()
    answering = False
    for message in messages[start:]:
        if message.role == "assistant":
            yield Scene(user, outcomes, answering)
            answering = False
        elif found := tuple(part for part in message.parts if isinstance(part, ToolOutcome)):
            outcomes, answering = found, True
    yield Scene(user, outcomes, answering)


def _start(messages: Sequence[Message]) -> int:
    for index in range(len(messages) - 1, -1, -1):
        kinds = {type(part) for part in messages[index].parts}
        if messages[index].role == "user" and Text in kinds and ToolOutcome not in kinds:
            return index
    return 0


def _fitting(turns: Sequence[Turn], played: set[int], scene: Scene) -> Iterator[tuple[int, Turn]]:
    return ((index, turn) for index, turn in enumerate(turns) if index not in played and scene.meets(turn.when))


def _replay(turns: Sequence[Turn], played: set[int], scene: Scene) -> None:
    """Marks what an earlier model call used up: the errors and pauses on its way, and the turn that it played."""
    for index, turn in _fitting(turns, set(played), scene):
        played.add(index)
        if turn.error is None and not turn.pause_only:
            return


def _choose(turns: Sequence[Turn], played: set[int], scene: Scene, attempt: int) -> Cue | None:
    pause = 0.0
    for _, turn in _fitting(turns, played, scene):
        if turn.pause_only:
            pause += turn.delay or 0.0
        elif turn.error is not None and attempt > 0:
            attempt -= 1
        else:
            return Cue(turn, pause, scene)
    return None
