"""The loop: a model turn, its tool calls, and again, until the model is done or a limit says stop."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

import msgspec

from headgate.compile.plan import AgentPlan, ModelChoice
from headgate.core.errors import ProviderError
from headgate.core.events import AttemptStarted, ThinkingDelta, ToolStarted
from headgate.core.messages import ErrorInfo, Message, Part, ToolCall, ToolOutcome, ToolResult, failed
from headgate.core.ports import ModelRequest, Restarted, TextChunk, ThinkingChunk, TurnDone
from headgate.engine.dispatch import Dispatch
from headgate.engine.recorder import Recorder


@dataclass(frozen=True, slots=True)
class AgentRunner:
    """Runs one plan on one transcript. Everything it does is told to, and committed by, the recorder."""

    plan: AgentPlan
    choice: ModelChoice
    system: str
    dispatch: Dispatch
    recorder: Recorder
    session: str = ""

    async def run(self, transcript: tuple[Message, ...]) -> None:
        """Runs to the end and records it; raises `ProviderError` when no turn can be had, and on cancellation."""
        messages = list(transcript)
        taken = {call.id for message in messages for call in message.calls}
        while True:
            step = self.recorder.next_step()
            self.recorder.begin_turn(step, self.choice.model)
            done = await self._turn(tuple(messages), step)
            message = _distinct(done.message, taken)
            await self.recorder.model_step(done, message, last=not message.calls and done.stop != "pause")
            messages.append(message)
            if await self._ended(done, message):
                return
            if message.calls:
                messages.append(await self._calls(message.calls, cut=done.cut))
            if self.recorder.turns >= self.plan.spec.max_turns:
                limit = {"limit": "max_turns", "turns": self.recorder.turns, "max_turns": self.plan.spec.max_turns}
                await self.recorder.complete("max_turns", limit)
                return

    async def _turn(self, messages: tuple[Message, ...], step: int) -> TurnDone:
        """One provider turn, told as it comes."""
        async with aclosing(self.choice.stream(self._request(messages))) as events:  # type: ignore[type-var]
            async for event in events:
                if type(event) is TextChunk:  # the hot path: a class pattern costs several times as much
                    self.recorder.say(event.text, step)
                    continue
                match event:
                    case ThinkingChunk(text):
                        self.recorder.emit(ThinkingDelta(text=text), step)
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
        spec = self.plan.spec
        if spec.budget_usd is not None and done.cost is None:
            reason = f"budget_usd cannot be kept: {done.model} has no price; add it to the provider's prices"
            return ErrorInfo("price_unknown", reason)
        if (spec.budget_usd or spec.budget_tokens) and not done.usage.total:
            return ErrorInfo("usage_unknown", f"no budget can be kept: {done.model} does not say what it used")
        return None

    def _over(self) -> dict[str, Any] | None:
        """Which budget is spent, and by how much."""
        spec, cost, tokens = self.plan.spec, self.recorder.cost, self.recorder.usage.total
        if spec.budget_usd is not None and cost >= spec.budget_usd:
            return {"limit": "budget_usd", "cost": cost, "budget": spec.budget_usd}
        if spec.budget_tokens is not None and tokens >= spec.budget_tokens:
            return {"limit": "budget_tokens", "tokens": tokens, "budget": spec.budget_tokens}
        return None

    async def _calls(self, calls: tuple[ToolCall, ...], *, cut: bool) -> Message:
        """Runs the calls of one turn side by side; the message with all results is committed with the last of them."""
        turn = _Turn(calls, cut=cut)
        async with asyncio.TaskGroup() as group:
            for index, call in enumerate(calls):
                step = self.recorder.next_step()
                args = call.args if call.args is not None else {}
                self.recorder.emit(ToolStarted(call_id=call.id, name=call.name, args=args, index=index), step)
                group.create_task(self._one(turn, index, step), name=f"{call.name} {call.id}")
        return turn.answer()

    async def _one(self, turn: _Turn, index: int, step: int) -> None:
        call, started = turn.calls[index], self.recorder.now()
        try:
            result = await self.dispatch.call(call, step, cut=turn.cut)
        except asyncio.CancelledError:
            result = failed("cancelled", "the run ended while the call was running", status="cancelled")
            await self._keep(turn, index, step, result, started)
            raise
        await self._keep(turn, index, step, result, started)

    async def _keep(self, turn: _Turn, index: int, step: int, result: ToolResult, started: float) -> None:
        call = turn.calls[index]
        turn.results[index] = result
        tool = self.plan.tools.get(call.name)
        await self.recorder.tool_step(
            step, call, result, started=started, server=tool.definition.server if tool else None,
            answer=turn.answer() if len(turn.results) == len(turn.calls) else None,
        )  # fmt: skip


class _Turn:
    """The calls of one turn and the results that are there so far."""

    def __init__(self, calls: tuple[ToolCall, ...], *, cut: bool) -> None:
        self.calls = calls
        self.cut = cut
        self.results: dict[int, ToolResult] = {}

    def answer(self) -> Message:
        """The message that answers all calls, in the model's order."""
        lost = failed("cancelled", "the call has no result", status="cancelled")
        outcomes = (ToolOutcome(c.id, c.name, self.results.get(i, lost)) for i, c in enumerate(self.calls))
        return Message("user", tuple(outcomes))


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
