"""All that a ledger knows of a run, in a form that can be kept and compared."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from headgate.core.events import (
    AnyEvent,
    AttemptStarted,
    Event,
    EventId,
    TextDelta,
    ThinkingDelta,
    ToolCompleted,
    ToolStarted,
)
from headgate.core.messages import Message, ToolOutcome
from headgate.stores.port import Ledger
from headgate.stores.records import RunRecord, StepRecord
from headgate.stores.waits import WaitFilter, WaitRecord
from tests.crash.life import every_run


class Known(msgspec.Struct, frozen=True):
    """What a ledger knows of one run."""

    run: RunRecord
    steps: tuple[StepRecord, ...]
    messages: tuple[Message, ...]
    waits: tuple[WaitRecord, ...]
    events: tuple[AnyEvent, ...]

    @property
    def uncertain(self) -> frozenset[str]:
        """The calls of which nobody knew what had become of them."""
        asked = {wait.call_id for wait in self.waits if wait.kind == "unknown_outcome"}
        told = {step.call_id for step in self.steps if step.status == "unknown" and step.call_id}
        return frozenset(asked | told)

    @property
    def retries(self) -> Counter[str]:
        """How often somebody said that a call is to be made again."""
        return Counter(w.call_id for w in self.waits if any(vote.decision == "retry" for vote in w.votes))

    @property
    def open_steps(self) -> frozenset[int]:
        """The model turns that were being made: their deltas count for nothing."""
        whole = {step.n for step in self.steps}
        return frozenset(event.step for event in self.events if is_delta(event)) - whole

    def script(self) -> list[Any]:
        """What the run is: its turns, calls and results, but for the ids, and for the results that are uncertain."""
        uncertain = self.uncertain
        return [
            [message.role, [_part(part, self.run.id, uncertain) for part in message.parts]] for message in self.messages
        ]


def _part(part: Any, run: str, uncertain: frozenset[str]) -> Any:
    data = msgspec.to_builtins(part)
    if isinstance(part, ToolOutcome) and part.call_id in uncertain:
        data["result"] = "uncertain"
    for name in ("id", "call_id"):
        if name in data:
            data[name] = data[name].replace(run, "run")
    return data


def blurred(script: list[Any], uncertain: frozenset[str], run: str) -> list[Any]:
    """The script of an undisturbed run, with the same results left out."""
    ids = {each.replace(run, "run") for each in uncertain}
    return [
        [role, [{**part, "result": "uncertain"} if part.get("call_id") in ids else part for part in parts]]
        for role, parts in script
    ]


def is_delta(event: Event) -> bool:
    """Whether the event is a piece of a turn."""
    return isinstance(event, TextDelta | ThinkingDelta)


def calls_of(events: tuple[Event, ...]) -> tuple[Counter[str], Counter[str]]:
    """How often each call was told to begin, and to have ended."""
    begun = Counter(event.call_id for event in events if isinstance(event, ToolStarted))
    return begun, Counter(event.call_id for event in events if isinstance(event, ToolCompleted))


async def known(ledger: Ledger, run: RunRecord) -> Known:
    """Reads a run with all that belongs to it."""
    found = await ledger.load(run.id)
    waits = await ledger.waits(WaitFilter(run_id=run.id, limit=500))
    events: list[Any] = []
    after: EventId = (0, 0)
    while page := await ledger.events(run.id, after, 500):
        events += page
        after = page[-1].key
    own = found.conversation[-1].produced if found else ()
    return Known(run, await ledger.steps(run.id), own, waits, tuple(events))


async def know_all(ledger: Ledger) -> dict[str, Known]:
    """Every run of the ledger by its id."""
    return {run.id: await known(ledger, run) async for run in every_run(ledger)}


def met(found: Iterable[Known]) -> Counter[str]:
    """What the runs went through, so that a proof is seen to be one."""
    total: Counter[str] = Counter()
    for each in found:
        total["runs"] += 1
        total["owners"] += each.run.fence
        total["turns made again"] += sum(isinstance(event, AttemptStarted) for event in each.events)
        total["calls"] += sum(step.kind == "tool" for step in each.steps)
        total["outcomes unknown"] += len(each.uncertain)
        total["retries"] += each.retries.total()
        total.update(f"{wait.kind} {wait.state}" for wait in each.waits)
    return total


_knowledge = msgspec.json.Decoder(dict[str, Known])


def save(path: Path, found: dict[str, Known]) -> None:
    """Writes it to a file."""
    path.write_bytes(msgspec.json.encode(found))


def restore(path: Path) -> dict[str, Known]:
    """Reads it back."""
    return _knowledge.decode(path.read_bytes())
