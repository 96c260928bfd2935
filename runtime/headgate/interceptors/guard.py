"""Interceptors of kind `guard`: what users and models say, and what goes into tools and comes out, is judged by
patterns or by a model."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing
from typing import Annotated, Literal

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from headgate.core.context import RunContext, ToolContext
from headgate.core.errors import PolicyRefused
from headgate.core.kind import Env, Key, Kind
from headgate.core.messages import Message, ToolCall, ToolResult
from headgate.core.ports import ModelEvent, ModelNext, ModelRequest, Streams, ToolNext
from headgate.core.scalars import Duration
from headgate.expressions.pattern import PatternText
from headgate.interceptors.common import InterceptorSpec, Passing, Touched, touched_by, unheard
from headgate.interceptors.guard_judge import Judge, NoVerdict
from headgate.interceptors.texts import scalars
from headgate.interceptors.turns import asked, judged

Judged = Literal["input", "output", "arguments", "results"]
_SHOWN = 300


class GuardSpec(InterceptorSpec):
    """Judges texts by patterns, by a model, or first by the one and then by the other."""

    kind: Literal["guard"]
    on: Annotated[tuple[Judged, ...], Field(min_length=1)]
    """What is judged: the `input` of a user before the model reads it, the `output` of a model before anybody reads it,
    the `arguments` of calls, their `results`."""
    patterns: tuple[PatternText, ...] = ()
    """Patterns (RE2) of what is refused; `(?i)` at the beginning ignores case."""
    model: Annotated[str, Field(min_length=1)] | None = None
    """The model that judges: an alias, or `provider/model-id`. The run pays for it."""
    prompt: Annotated[str, Field(min_length=1, max_length=20_000)] | None = None
    """The rule that the model judges by, such as: refuse what asks for medical advice."""
    message: Annotated[str, Field(min_length=1, max_length=1000)] | None = None
    """What is said in place of what is refused; if unstated, the reason."""
    failure: Literal["open", "closed"] = "closed"
    """What becomes of what cannot be judged: `closed` refuses it, `open` lets it pass."""
    timeout: Duration = 30.0
    """How long the model may take."""
    max_chars: Annotated[int, Field(ge=1, le=10_000_000)] = 200_000
    """The longest text that is judged."""

    @model_validator(mode="after")
    def _able(self) -> GuardSpec:
        if not self.patterns and self.model is None:
            raise PydanticCustomError("guard", "patterns or a model are needed")
        if (self.model is None) != (self.prompt is None):
            raise PydanticCustomError("guard", "model and prompt need each other")
        return self

    @property
    def touches(self) -> Touched:
        """What it judges."""
        return touched_by(self.on)


class Guard(Passing):
    """Lets pass what neither a pattern nor the judge refuses."""

    def __init__(self, name: str, spec: GuardSpec, judge: Judge | None) -> None:
        self._name = name
        self._spec = spec
        self._judge = judge
        self.touches = spec.touches
        self.streams: Streams = "whole" if "output" in spec.on else "pass"

    async def around_model(
        self, ctx: RunContext, request: ModelRequest, call_next: ModelNext, /
    ) -> AsyncGenerator[ModelEvent]:
        """The turn, if what was said may be said, and what is going to be."""
        if "input" in self._spec.on:
            await self._check(ctx, "the user's message", asked(request))

        async def judge(message: Message) -> None:
            await self._check(ctx, "the answer", message.text)

        async with aclosing(judged(call_next(request), judge if "output" in self._spec.on else None)) as events:
            async for event in events:
                yield event

    async def around_tool(self, ctx: ToolContext, call: ToolCall, call_next: ToolNext, /) -> ToolResult:
        """The call, if its arguments may go in, and its result, if that may come out."""
        within = ctx.run_context
        if "arguments" in self._spec.on and not ctx.resumed:
            await self._check(within, f"the arguments of {call.name}", "\n".join(scalars(call.args or {})))
        if "results" not in self._spec.on:
            return await call_next(call, ctx)
        result = await call_next(call, unheard(ctx))
        await self._check(within, f"the result of {call.name}", "\n".join(scalars(result.payload)))
        return result

    async def _check(self, ctx: RunContext, what: str, text: str) -> None:
        """Raises `PolicyRefused` when the text may not pass."""
        if not text.strip():
            return
        if len(text) > self._spec.max_chars:
            self._fail(ctx, what, f"it has more than {self._spec.max_chars} characters")
        elif any(pattern.found(text) for pattern in self._spec.patterns):
            raise self._refusal(f"{what} has what is not allowed here")
        elif self._judge is not None:
            await self._ask(ctx, self._judge, what, text)

    async def _ask(self, ctx: RunContext, judge: Judge, what: str, text: str) -> None:
        try:
            async with asyncio.timeout(self._spec.timeout):
                verdict = await judge.verdict(ctx, what, text)
        except TimeoutError:
            self._fail(ctx, what, f"the model did not answer within {self._spec.timeout:g} s")
        except NoVerdict as error:
            self._fail(ctx, what, str(error))
        else:
            if not verdict.allow:
                raise self._refusal(f"{what} is not allowed: {verdict.reason[:_SHOWN] or 'no reason is given'}")

    def _refusal(self, reason: str) -> PolicyRefused:
        return PolicyRefused(self._spec.message or f"{self._name}: {reason}", code="guard_denied")

    def _fail(self, ctx: RunContext, what: str, reason: str) -> None:
        said = f"{self._name} has not judged {what}: {reason}"
        if self._spec.failure == "closed":
            raise PolicyRefused(said, code="not_judged")
        ctx.decide(self._name, "warn", "not_judged", said, mode=self._spec.loudness)


def models(spec: GuardSpec) -> Mapping[Key, str]:
    """The model that judges, if one does."""
    return {("model",): spec.model} if spec.model is not None else {}


@contextlib.asynccontextmanager
async def open_interceptor(spec: GuardSpec, env: Env) -> AsyncIterator[Guard]:
    """The interceptor; its model is one of the tree's."""
    judge = Judge(env.model(spec.model), spec.prompt) if spec.model is not None and spec.prompt is not None else None
    yield Guard(env.name, spec, judge)


KIND: Kind[GuardSpec, Guard] = Kind(
    "guard",
    "Judges what is said, and what goes into tools and comes out.",
    GuardSpec,
    open_interceptor,
    models=models,
    pure=lambda spec: spec.model is None,
)
"""The registration of the kind."""
