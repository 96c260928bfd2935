"""The loop: a model turn, its tool calls, and again; until the model is done, a limit ends it, or it can only wait."""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec

from headgate.compile.plan import AgentPlan, ModelChoice
from headgate.core.context import RunContext
from headgate.core.errors import ProviderError
from headgate.core.events import AttemptStarted
from headgate.core.messages import ErrorInfo, Message, Part, ToolCall
from headgate.core.ports import ModelRequest, Restarted, TextChunk, ThinkingChunk, TurnDone
from headgate.engine.bell import Bell
from headgate.engine.calls import Calls
from headgate.engine.dispatch import Dispatch
from headgate.engine.recorder import Recorder
from headgate.engine.turn import Turn

Stop = Literal["ended", "waiting", "left"]
"""Why a runner stopped: its end is recorded, it has to be parked, or it was told to leave the rest to another owner."""


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
        calls = Calls(self.plan, self.dispatch, self.recorder, self.bell)
        while True:
            self.dispatch.taint.read(messages)
            if await self._limited(start.turn):
                return "ended"
            if self.bell.leaving:
                return "left"
            if start.turn is not None:
                answer = await calls.make(start.turn)
                if answer is None:
                    return "waiting"
                messages.append(answer)
                start.turn = None
                continue
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
        over, turns = self._over(), self.recorder.tally.turns
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
        within = self.dispatch.within(step)
        request = self._request(messages, within)
        async with aclosing(self.choice.stream(within, request)) as events:
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

    def _request(self, messages: tuple[Message, ...], within: RunContext) -> ModelRequest:
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
            turn=within.turn,
            broken=within.spend,
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
        spec, account = self.plan.spec, self.recorder.tally.account
        if done.replaced:
            return None
        if (spec.budget_usd is not None or account.limits_usd) and done.cost is None:
            reason = f"no budget in USD can be kept: {done.model} has no price; add it to the provider's prices"
            return ErrorInfo("price_unknown", reason)
        if (spec.budget_usd or spec.budget_tokens or account.limits) and not done.usage.total:
            return ErrorInfo("usage_unknown", f"no budget can be kept: {done.model} does not say what it used")
        return None

    def _over(self) -> dict[str, Any] | None:
        """Which budget is spent, and by how much."""
        spec, cost, tokens = self.plan.spec, self.recorder.tally.cost, self.recorder.tally.usage.total
        if spec.budget_usd is not None and cost >= spec.budget_usd:
            return {"limit": "budget_usd", "cost": cost, "budget": spec.budget_usd}
        if spec.budget_tokens is not None and tokens >= spec.budget_tokens:
            return {"limit": "budget_tokens", "tokens": tokens, "budget": spec.budget_tokens}
        return self.recorder.tally.account.over()


def _distinct(message: Message, taken: set[str]) -> Message:
    """The message with call ids that no earlier call of the conversation has."""
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
