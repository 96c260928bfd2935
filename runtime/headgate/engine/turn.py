"""The calls of one model turn: which have their result, which wait, and what was done about them before."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from headgate.core.errors import GatewayError, StoreError
from headgate.core.events import WaitKind
from headgate.core.messages import Message, ToolCall, ToolOutcome, ToolResult
from headgate.stores.waits import WaitRecord


@dataclass(slots=True)
class CallState:
    """What is known of one call when it is made, or made again.

    `begun` is when an earlier owner of the run kept the intent to make it, in epoch seconds; `started` says whether its
    `tool.started` is in the log, `resolved` whose `approval.resolved` are. `waits` has the newest of each kind,
    `earlier` the approvals before the newest. `attempt` counts from 1. `remarks` are what the model is told beside the
    result, and which rule says so.
    """

    step: int
    attempt: int = 1
    begun: float | None = None
    started: bool = False
    waits: dict[WaitKind, WaitRecord] = field(default_factory=dict)
    earlier: tuple[WaitRecord, ...] = ()
    resolved: frozenset[str] = frozenset()
    remarks: dict[str, GatewayError] = field(default_factory=dict)

    @property
    def approvals(self) -> tuple[WaitRecord, ...]:
        """All questions about whether the call may be made, in the order in which they were asked."""
        newest = self.waits.get("approval")
        return self.earlier if newest is None else (*self.earlier, newest)


@dataclass(slots=True)
class Turn:
    """The calls of a turn in the model's order; the `i`th has the step `step + 1 + i`.

    `cut` says that the turn was cut off, so that its calls cannot be trusted. `results` are those that are committed,
    `told` says that their message is; `keeping` counts the commits on their way, and `fault` is why one has failed.
    """

    calls: tuple[ToolCall, ...]
    step: int
    cut: bool = False
    results: dict[int, ToolResult] = field(default_factory=dict)
    states: dict[int, CallState] = field(default_factory=dict)
    waiting: dict[int, WaitRecord] = field(default_factory=dict)
    told: bool = False
    keeping: int = 0
    fault: StoreError | None = None

    def state(self, index: int) -> CallState:
        """What is known of a call."""
        return self.states.setdefault(index, CallState(self.step + 1 + index))

    @property
    def open(self) -> Iterator[int]:
        """The calls that can be made now."""
        return (i for i in range(len(self.calls)) if i not in self.results and i not in self.waiting)

    def waits_for(self, wait_id: str | None) -> list[int]:
        """The calls that wait for this, or for anything."""
        return [index for index, wait in self.waiting.items() if wait_id in (None, wait.id)]

    def add(self, index: int, result: ToolResult, *, told: bool) -> None:
        """A result is committed, and with it the message, if that is `told`."""
        self.results[index] = result
        self.told = self.told or told

    def answer(self, last: Mapping[int, ToolResult] | None = None) -> Message | None:
        """The message that answers all calls, in the model's order, once nothing but the `last` results is not
        committed; None until then."""
        results = {**self.results, **(last or {})}
        if len(results) < len(self.calls):
            return None
        return Message("user", tuple(ToolOutcome(c.id, c.name, results[i]) for i, c in enumerate(self.calls)))


def newest(waits: tuple[WaitRecord, ...]) -> Mapping[tuple[str, WaitKind], WaitRecord]:
    """The newest wait of each call and kind; those of calls that were held are of no use to who goes on."""
    kept = sorted((each for each in waits if not each.held), key=lambda each: each.created_at)
    return {(wait.call_id, wait.kind): wait for wait in kept}
