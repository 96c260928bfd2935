"""The calls of a run that ends while they wait: each has its result and its end in the log, like those that are being
made then."""

from __future__ import annotations

from headgate.core.events import ApprovalResolved
from headgate.core.messages import failed
from headgate.engine.questions import unknown
from headgate.engine.recorder import Recorder
from headgate.engine.turn import Turn


async def abandon(recorder: Recorder, turn: Turn, reason: str) -> None:
    """Keeps a result for every call of the turn that has none, with the message that answers them all; raises
    `StoreError`."""
    left = [index for index in range(len(turn.calls)) if index not in turn.results]
    for index in left:
        turn.waiting.pop(index, None)
        call, state = turn.calls[index], turn.state(index)
        asked = state.waits.get("approval")
        if asked is not None and asked.state == "pending":
            told = ApprovalResolved(id=asked.id, call_id=call.id, name=call.name, state="cancelled", reason=reason)
            recorder.emit(told, state.step)
        result = failed("cancelled", "the run ended while the call waited", status="cancelled")
        if state.begun is not None:
            result = unknown(call)
        answer = turn.answer({index: result})
        await recorder.tool_step(
            state.step, call, result, started=recorder.now(), server=None, answer=answer, forget=True
        )
        turn.add(index, result, told=answer is not None)
