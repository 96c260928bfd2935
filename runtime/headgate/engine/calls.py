"""The calls of one turn, made side by side: each is committed when it ends, and may wait for somebody meanwhile."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from headgate.compile.plan import AgentPlan
from headgate.core.errors import StoreError
from headgate.core.events import ToolStarted
from headgate.core.messages import Message, ToolResult, failed
from headgate.engine.abandon import abandon
from headgate.engine.bell import Bell
from headgate.engine.dispatch import Dispatch
from headgate.engine.recorder import Recorder
from headgate.engine.turn import Turn
from headgate.stores.waits import WaitRecord


@dataclass(frozen=True, slots=True)
class Calls:
    """Makes the calls of the turns of one run."""

    plan: AgentPlan
    dispatch: Dispatch
    recorder: Recorder
    bell: Bell

    async def make(self, turn: Turn) -> Message | None:
        """Makes the calls of one turn side by side; the message with all results is committed with the last of them.

        None when there are calls that can only wait, and every other has its result. Raises the `StoreError` for which
        a result could not be kept when the other calls have ended.
        """
        try:
            await self._side_by_side(turn)
        except asyncio.CancelledError:
            if turn.waiting and not self.bell.leaving:
                await abandon(self.recorder, turn, "")
            raise
        finally:
            self.bell.answered = None
            await self._answer(turn)
        if turn.fault is not None:
            raise turn.fault
        return turn.answer()

    async def _answer(self, turn: Turn) -> None:
        """Commits the message with the results, unless the last of them has taken it along."""
        message = turn.answer()
        if message is not None and not turn.told:
            turn.told = True
            await self.recorder.answer(message, turn.step + len(turn.calls))

    async def _side_by_side(self, turn: Turn) -> None:
        async with asyncio.TaskGroup() as group:

            def make(index: int) -> None:
                name = f"{turn.calls[index].name} {turn.calls[index].id}"
                group.create_task(self._one(turn, index), name=name)

            def answered(wait_id: str | None) -> None:
                for index in turn.waits_for(wait_id):
                    work = self._one(turn, index, again=True)
                    try:
                        group.create_task(work, name=f"answer for {turn.calls[index].id}")
                    except RuntimeError:  # the last call has just ended: the run is parked, and claimed at once
                        work.close()

            for index in list(turn.open):
                self._announce(turn, index)
                make(index)
            self.bell.answered = answered

    def _announce(self, turn: Turn, index: int) -> None:
        call, state = turn.calls[index], turn.state(index)
        if state.started:
            return
        tool = self.plan.tools.get(call.name)
        location = tool.definition.location if tool else "backend"
        args = call.args if call.args is not None else {}
        self.recorder.emit(
            ToolStarted(call_id=call.id, name=call.name, args=args, index=index, location=location), state.step
        )

    async def _answered(self, turn: Turn, index: int) -> bool:
        """Whether the call can go on, since its question is settled."""
        wait = turn.waiting.get(index)
        settled = await self.dispatch.questions.ledger.wait(wait.id) if wait else None
        if settled is None or settled.state == "pending" or self.bell.leaving:
            return False
        if turn.waiting.pop(index, None) is None:
            return False
        turn.state(index).waits[settled.kind] = settled
        return True

    async def _one(self, turn: Turn, index: int, *, again: bool = False) -> None:
        """Makes one call, or goes on with it. A store that fails ends none of the others: they may be costly."""
        try:
            if not again or await self._answered(turn, index):
                await self._call(turn, index)
        except StoreError as error:
            if error.code == "fenced":  # somebody else is at work on the run
                raise
            turn.fault = turn.fault or error

    async def _call(self, turn: Turn, index: int) -> None:
        call, started = turn.calls[index], self.recorder.now()
        try:
            result = await self.dispatch.call(call, turn.state(index), cut=turn.cut)
        except asyncio.CancelledError:
            if not self.bell.leaving:
                result = failed("cancelled", "the run ended while the call was running", status="cancelled")
                await self._keep(turn, index, result, started)
            raise
        if isinstance(result, WaitRecord):
            turn.waiting[index] = result
        else:
            await self._keep(turn, index, result, started)

    async def _keep(self, turn: Turn, index: int, result: ToolResult, started: float) -> None:
        call = turn.calls[index]
        tool = self.plan.tools.get(call.name)
        answer = None if turn.keeping else turn.answer({index: result})
        turn.keeping += 1
        try:
            await self.recorder.tool_step(
                turn.state(index).step, call, result, started=started, server=tool.definition.server if tool else None,
                answer=answer, forget="input" in turn.state(index).waits,
            )  # fmt: skip
        except asyncio.CancelledError:  # it came while the step was committed all the same
            turn.add(index, result, told=answer is not None)
            raise
        finally:
            turn.keeping -= 1
        turn.add(index, result, told=answer is not None)
