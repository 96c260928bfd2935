"""One model turn as it is told, and as it is committed."""

from __future__ import annotations

from dataclasses import dataclass, field

from headgate.core.events import Delta, MessageCompleted, TextDelta, ThinkingDelta
from headgate.core.messages import Message, ResultStatus, Text
from headgate.core.ports import TurnDone
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

    def whole(self, done: TurnDone, message: Message, ended: float) -> Held:
        """The whole turn, as a transaction takes it."""
        record = StepRecord(
            n=self.step, kind="model", name=done.model, started_at=self.started, ended_at=ended, usage=done.usage,
            cost=done.cost or 0.0, status="error" if done.cut else "ok",
        )  # fmt: skip
        event = MessageCompleted(text=message.text, thinking=self.thinking, usage=done.usage, model=done.model)
        return Held(record, Produced(message, self.step), event, (*self.deltas,))

    def broken(self, status: ResultStatus, ended: float) -> Held:
        """What was said of a turn that was never whole: nothing is told of it."""
        record = StepRecord(
            n=self.step, kind="model", name=self.model, started_at=self.started, ended_at=ended, status=status
        )
        return Held(record, Produced(Message("assistant", (Text(self.text),)), self.step))


@dataclass(frozen=True, slots=True)
class Held:
    """A turn that is not committed yet, the event that tells it, and the deltas that this stands for."""

    record: StepRecord
    produced: Produced
    event: MessageCompleted | None = None
    deltas: tuple[Delta, ...] = ()
