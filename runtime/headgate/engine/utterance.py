"""One model turn as it is told, and as it is committed."""

from __future__ import annotations

from dataclasses import dataclass, field

from headgate.core.events import Delta, MessageCompleted, TextDelta, ThinkingDelta
from headgate.core.messages import Message, Usage
from headgate.stores.records import Produced, StepRecord


@dataclass(slots=True)
class Utterance:
    """A turn that is being made: the deltas that were told of it since it was begun, or begun again."""

    step: int
    model: str
    started: float
    deltas: list[Delta] = field(default_factory=list)

    @property
    def text(self) -> str:
        """What was said."""
        return "".join(delta.text for delta in self.deltas if type(delta) is TextDelta)

    @property
    def thinking(self) -> str:
        """What was thought."""
        return "".join(delta.text for delta in self.deltas if type(delta) is ThinkingDelta)

    def held(self, record: StepRecord, message: Message, usage: Usage, *, broken: bool = False) -> Held:
        """The turn as a transaction takes it; `broken` is one that was never whole, and of which nothing is told."""
        event = MessageCompleted(text=message.text, thinking=self.thinking, usage=usage, model=record.name)
        return Held(record, Produced(message, record.n), None if broken else event, () if broken else (*self.deltas,))


@dataclass(frozen=True, slots=True)
class Held:
    """A turn that is not committed yet, the event that tells it, and the deltas that this stands for."""

    record: StepRecord
    produced: Produced
    event: MessageCompleted | None
    deltas: tuple[Delta, ...]
