"""The calls of one model turn: which have their result, which wait, and what was done about them before."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from headgate.core.events import WaitKind
from headgate.core.messages import Message, ToolCall, ToolOutcome, ToolResult, failed
from headgate.stores.waits import WaitRecord


@dataclass(slots=True)
class CallState:
    """What is known of one call when it is made, or made again.

    `begun` is when an earlier owner of the run kept the intent to make it, in epoch seconds; `started` says whether its
    `tool.started` is in the log, `resolved` whose `approval.resolved` are. `waits` has the newest of each kind.
    `attempt` counts from 1.
    """

    step: int
    attempt: int = 1
    begun: float | None = None
    started: bool = False
    waits: dict[WaitKind, WaitRecord] = field(default_factory=dict)
    resolved: frozenset[str] = frozenset()


@dataclass(slots=True)
class Turn:
    """The calls of a turn in the model's order; the `i`th has the step `step + 1 + i`.

    `cut` says that the turn was cut off, so that its calls cannot be trusted.
    """

    calls: tuple[ToolCall, ...]
    step: int
    cut: bool = False
    results: dict[int, ToolResult] = field(default_factory=dict)
    states: dict[int, CallState] = field(default_factory=dict)
    waiting: dict[int, WaitRecord] = field(default_factory=dict)

    def state(self, index: int) -> CallState:
        """What is known of a call."""
        return self.states.setdefault(index, CallState(self.step + 1 + index))

    @property
    def open(self) -> Iterator[int]:
        """The calls that can be made now."""
        return (i for i in range(len(self.calls)) if i not in self.results and i not in self.waiting)

    @property
    def done(self) -> bool:
        """Whether every call has its result."""
        return len(self.results) == len(self.calls)

    def waits_for(self, wait_id: str | None) -> list[int]:
        """The calls that wait for this, or for anything."""
        return [index for index, wait in self.waiting.items() if wait_id in (None, wait.id)]

    def answer(self) -> Message:
        """The message that answers all calls, in the model's order."""
        lost = failed("cancelled", "the call has no result", status="cancelled")
        outcomes = (ToolOutcome(c.id, c.name, self.results.get(i, lost)) for i, c in enumerate(self.calls))
        return Message("user", tuple(outcomes))


def newest(waits: tuple[WaitRecord, ...]) -> Mapping[tuple[str, WaitKind], WaitRecord]:
    """The newest wait of each call and kind."""
    return {(wait.call_id, wait.kind): wait for wait in sorted(waits, key=lambda each: each.created_at)}
