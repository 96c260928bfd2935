"""From what the ledger knows of a run to the point where it goes on."""

from __future__ import annotations

from collections.abc import Mapping

from headgate.core.events import RunResumed, WaitKind
from headgate.core.messages import ErrorInfo, Message
from headgate.engine.runner import Start
from headgate.engine.transcript import answered
from headgate.engine.turn import CallState, Turn, newest
from headgate.stores.records import Progress, Resumption, RunRecord
from headgate.stores.waits import WaitRecord

INTERRUPTED = ErrorInfo("interrupted", "the turn was cut off and is made again", retryable=True)


def progress_of(run: RunRecord) -> Progress:
    """What earlier owners of the run used and said."""
    return Progress(turns=run.turns, usage=run.usage, cost=run.cost, answer=run.answer, elapsed=run.elapsed)


def starting_point(found: Resumption) -> Start:
    """Where the run goes on: with the calls of its newest turn that have no result, or with a model turn."""
    *before, last = found.conversation
    history = [message for exchange in before for message in (*exchange.posted, *exchange.produced)]
    own = [*last.posted, *last.produced]
    turn = _open_turn(found, last.produced)
    if turn is None:
        return Start(tuple(answered([*history, *own])), None, INTERRUPTED)
    return Start((*answered([*history, *own[:-1]]), own[-1]), turn)


def steps_of(found: Resumption, start: Start) -> int:
    """The number of the newest step that is begun."""
    if start.turn is not None:
        return start.turn.step + len(start.turn.calls)
    return max((step.n for step in found.steps), default=0)


def reason_of(found: Resumption, start: Start) -> RunResumed:
    """The event that says that the run goes on."""
    run = found.run
    settled = {wait.step for wait in found.waits if wait.state != "pending"}
    asked = start.turn is not None and any(start.turn.state(i).step in settled for i in start.turn.open)
    return RunResumed(
        agent=run.agent, revision=run.revision, model=run.model, reason="answered" if asked else "recovered"
    )


def _open_turn(found: Resumption, produced: tuple[Message, ...]) -> Turn | None:
    model = next((step for step in reversed(found.steps) if step.kind == "model"), None)
    if model is None or not produced or not produced[-1].calls:
        return None
    turn = Turn(produced[-1].calls, model.n, cut=model.status != "ok")
    waits = newest(found.waits)
    done = {step.n: step for step in found.steps if step.kind == "tool"}
    for index, call in enumerate(turn.calls):
        state = turn.states[index] = _state(found, model.n + 1 + index, call.id, waits)
        step = done.get(state.step)
        if step is not None and step.result is not None:
            turn.results[index] = step.result
    return turn


def _state(found: Resumption, step: int, call_id: str, waits: Mapping[tuple[str, WaitKind], WaitRecord]) -> CallState:
    own = {wait.kind: wait for (call, _), wait in waits.items() if call == call_id}
    started = step in found.started
    asked = sorted((w for w in found.waits if (w.call_id, w.kind) == (call_id, "approval")), key=lambda w: w.created_at)
    return CallState(
        step, attempt=2 if started and not own else 1, begun=found.begun.get(step), started=started, waits=own,
        earlier=tuple(asked[:-1]), resolved=found.resolved,
    )  # fmt: skip
