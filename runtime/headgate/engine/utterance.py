"""One model turn as it is told, and as it is committed."""

from __future__ import annotations

from dataclasses import dataclass, field

from headgate.core.events import Delta, MessageCompleted, TextDelta, ThinkingDelta
from headgate.core.messages import Message
from headgate.stores.records import Produced, StepRecord
from headgate.stores.usage import TurnUsage


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

    def held(self, record: StepRecord, message: Message, used: TurnUsage | None) -> Held:
        """The turn as a transaction takes it; one of which nobody knows what it used was never whole, and nothing is
        told of it."""
        produced = Produced(message, record.n)
        if used is None:
            return Held(record, produced, None, (), ())
        event = MessageCompleted(text=message.text, thinking=self.thinking, usage=used.usage, model=record.name)
        return Held(record, produced, event, (*self.deltas,), (used,))


@dataclass(frozen=True, slots=True)
class Held:
    """A turn that is not committed yet, the event that tells it, the deltas that this stands for, and what it used."""

    record: StepRecord
    produced: Produced
    event: MessageCompleted | None
    deltas: tuple[Delta, ...]
    used: tuple[TurnUsage, ...]
