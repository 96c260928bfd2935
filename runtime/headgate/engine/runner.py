"""The loop: a model turn, its tool calls, and again; until the model is done, a limit ends it, or it can only wait."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec

from headgate.compile.plan import AgentPlan, ModelChoice
from headgate.core.errors import ProviderError
from headgate.core.events import AttemptStarted, ToolStarted
from headgate.core.messages import ErrorInfo, Message, Part, ToolCall, ToolResult, failed
from headgate.core.ports import ModelRequest, Restarted, TextChunk, ThinkingChunk, TurnDone
from headgate.engine.dispatch import Dispatch
from headgate.engine.recorder import Recorder
from headgate.engine.turn import Turn
from headgate.stores.waits import WaitRecord

Stop = Literal["ended", "waiting", "left"]
"""Why a runner stopped: its end is recorded, it has to be parked, or it was told to leave the rest to another owner."""


@dataclass(slots=True)
class Bell:
    """How a run in progress hears that something it waits for is settled, or that it shall leave."""

    answered: Callable[[str | None], None] | None = None
    leaving: bool = False

    def ring(self, wait_id: str | None = None) -> None:
        """The wait is settled, or one of them may be."""
        if self.answered is not None:
            self.answered(wait_id)


@dataclass(slots=True)
class Start:
    """Where a run begins, or goes on: what the model has seen, and the turn whose calls are not all done.

    `again` is set when a model turn may have been cut off.
    """

    messages: tuple[Message, ...]
    turn: Turn | None = None
    again: ErrorInfo | None = None


@dataclass(frozen=True, slots=True)
class AgentRunner:
    """Runs one plan on one transcript. Everything it does is told to, and committed by, the recorder."""

    plan: AgentPlan
    choice: ModelChoice
    system: str
    dispatch: Dispatch
    recorder: Recorder
    session: str = ""
    bell: Bell = field(default_factory=Bell)

    async def run(self, start: Start) -> Stop:
        """Runs until the end is recorded, or until nothing can be done; raises `ProviderError` when no turn can be had,
        `StoreError`, and on cancellation. What it waits for is in `start.turn`."""
        messages = list(start.messages)
        taken = {call.id for message in messages for call in message.calls}
        while True:
            if await self._limited(start.turn):
                return "ended"
            if start.turn is not None:
                answer = await self._calls(start.turn)
                if answer is None:
                    return "waiting"
                messages.append(answer)
                start.turn = None
                continue
            if self.bell.leaving:
                return "left"
            step = self.recorder.next_step()
            done = await self._made(tuple(messages), step, start)
            message = _distinct(done.message, taken)
            await self.recorder.model_step(done, message, last=not message.calls and done.stop != "pause")
            messages.append(message)
            if await self._ended(done, message):
                return "ended"
            if message.calls:
                start.turn = Turn(message.calls, step, cut=done.cut)
                self.recorder.steps = step + len(message.calls)

    async def _limited(self, turn: Turn | None) -> bool:
        """Whether a limit ends the run before it does anything else; the calls of the last turn are made."""
        over, turns = self._over(), self.recorder.turns
        if over is not None:
            await self.recorder.complete("budget", over)
        elif turn is None and turns >= self.plan.spec.max_turns:
            limit = {"limit": "max_turns", "turns": turns, "max_turns": self.plan.spec.max_turns}
            await self.recorder.complete("max_turns", limit)
        else:
            return False
        return True

    async def _made(self, messages: tuple[Message, ...], step: int, start: Start) -> TurnDone:
        """One provider turn, told as it comes."""
        self.recorder.begin_turn(step, self.choice.model)
        if start.again is not None:
            again = AttemptStarted(attempt=1, reason=start.again, delay=0.0, model=self.choice.model)
            self.recorder.emit(again, step)
            start.again = None
        return await self._turn(messages, step)

    async def _turn(self, messages: tuple[Message, ...], step: int) -> TurnDone:
        async with aclosing(self.choice.stream(self._request(messages))) as events:  # type: ignore[type-var]
            async for event in events:
                if type(event) is TextChunk:  # the hot path: a class pattern costs several times as much
                    self.recorder.say(event.text, step)
                    continue
                match event:
                    case ThinkingChunk(text):
                        self.recorder.think(text, step)
                    case Restarted(attempt, reason, delay, model):
                        self.recorder.unsay()
                        self.recorder.emit(
                            AttemptStarted(attempt=attempt, reason=reason, delay=delay, model=model), step
                        )
                    case TurnDone():
                        return event
        raise ProviderError("the model's turn ended without a result", code="provider_cut_off", retryable=True)

    def _request(self, messages: tuple[Message, ...]) -> ModelRequest:
        spec = self.plan.spec
        return ModelRequest(
            model=self.choice.model,
            system=self.system,
            messages=messages,
            tools=self.dispatch.definitions,
            max_output_tokens=spec.max_output_tokens,
            thinking=spec.thinking,
            session=self.session,
            run=self.recorder.run_id,
            turn=self.recorder.turns + 1,
        )

    async def _ended(self, done: TurnDone, message: Message) -> bool:
        """Whether the run is over after this turn; its end is recorded then."""
        over, blind = self._over(), self._blind(done)
        if done.stop == "refusal":
            await self.recorder.fail(ErrorInfo("model_refused", "the model refused to answer"))
        elif done.stop == "context":
            await self.recorder.fail(
                ErrorInfo("context_exceeded", "the conversation is longer than the model can read")
            )
        elif blind is not None:
            await self.recorder.fail(blind)
        elif over is not None:
            await self.recorder.complete("budget", over)
        elif not message.calls and done.stop != "pause":
            await self.recorder.complete("success", {"limit": "max_output_tokens"} if done.stop == "length" else None)
        else:
            return False
        return True

    def _blind(self, done: TurnDone) -> ErrorInfo | None:
        """Why a budget cannot be kept after this turn, if it cannot: a turn always takes tokens."""
        spec, account = self.plan.spec, self.recorder.account
        if (spec.budget_usd is not None or account.limits_usd) and done.cost is None:
            reason = f"no budget in USD can be kept: {done.model} has no price; add it to the provider's prices"
            return ErrorInfo("price_unknown", reason)
        if (spec.budget_usd or spec.budget_tokens or account.limits) and not done.usage.total:
            return ErrorInfo("usage_unknown", f"no budget can be kept: {done.model} does not say what it used")
        return None

    def _over(self) -> dict[str, Any] | None:
        """Which budget is spent, and by how much."""
        spec, cost, tokens = self.plan.spec, self.recorder.cost, self.recorder.usage.total
        if spec.budget_usd is not None and cost >= spec.budget_usd:
            return {"limit": "budget_usd", "cost": cost, "budget": spec.budget_usd}
        if spec.budget_tokens is not None and tokens >= spec.budget_tokens:
            return {"limit": "budget_tokens", "tokens": tokens, "budget": spec.budget_tokens}
        return self.recorder.account.over()

    async def _calls(self, turn: Turn) -> Message | None:
        """Makes the calls of one turn side by side; the message with all results is committed with the last of them.

        None when there are calls that can only wait, and every other has its result.
        """
        async with asyncio.TaskGroup() as group:

            def make(index: int) -> None:
                name = f"{turn.calls[index].name} {turn.calls[index].id}"
                group.create_task(self._one(turn, index), name=name)

            def answered(wait_id: str | None) -> None:
                for index in turn.waits_for(wait_id):
                    work = self._again(turn, index)
                    try:
                        group.create_task(work, name=f"answer for {turn.calls[index].id}")
                    except RuntimeError:  # the last call has just ended: the run is parked, and claimed at once
                        work.close()

            for index in list(turn.open):
                self._announce(turn, index)
                make(index)
            self.bell.answered = answered
        self.bell.answered = None
        return turn.answer() if turn.done else None

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

    async def _again(self, turn: Turn, index: int) -> None:
        """Goes on with a call whose question is settled."""
        wait = turn.waiting.get(index)
        settled = await self.dispatch.questions.ledger.wait(wait.id) if wait else None
        if settled is None or settled.state == "pending" or turn.waiting.pop(index, None) is None:
            return
        turn.state(index).waits[settled.kind] = settled
        await self._one(turn, index)

    async def _one(self, turn: Turn, index: int) -> None:
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
        turn.results[index] = result
        tool = self.plan.tools.get(call.name)
        await self.recorder.tool_step(
            turn.state(index).step, call, result, started=started, server=tool.definition.server if tool else None,
            answer=turn.answer() if turn.done else None,
        )  # fmt: skip


def _distinct(message: Message, taken: set[str]) -> Message:
    """The message with call ids that no earlier call of the conversation has (D3)."""
    parts: list[Part] = []
    for part in message.parts:
        if isinstance(part, ToolCall):
            identity, n = part.id, 2
            while identity in taken:
                identity, n = f"{part.id}_{n}", n + 1
            taken.add(identity)
            part = msgspec.structs.replace(part, id=identity)
        parts.append(part)
    return Message(message.role, tuple(parts))
