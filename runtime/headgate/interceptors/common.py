"""What the manifests of all interceptors share, and what one does that lets everything pass."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable
from dataclasses import replace
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from headgate.core.context import Mode, RunContext, ToolContext
from headgate.core.kind import Spec
from headgate.core.messages import ToolCall, ToolResult
from headgate.core.ports import Annotations, ModelEvent, ModelNext, ModelRequest, Streams, ToolNext
from headgate.expressions.condition import ConditionText

Globs = tuple[Annotated[str, Field(min_length=1)], ...]
Touched = frozenset[Literal["model", "tool"]]


class InterceptorSpec(Spec):
    """The keys that all kinds of interceptors share. They stand around calls and turns in the order of the file,
    outermost first."""

    kind: str
    """What the interceptor does."""
    tools: Globs = ("*",)
    """Names or globs of the tools whose calls it stands around."""
    agents: Globs = ("*",)
    """Names or globs of the agents that it is for."""
    when: ConditionText | None = None
    """A CEL condition; where it is false the interceptor lets pass. One that fails counts as true."""
    mode: Mode = "enforce"
    """`enforce` applies it; `warn` lets everything pass and says what it would have done; `audit` only counts it."""

    only: ClassVar[str] = ""
    """In words, which tools the kind does something about, if not about all."""
    naming_tools: ClassVar[tuple[str, ...]] = ("tools",)
    """The keys that name tools."""

    @property
    def touches(self) -> Touched:
        """Around what the interceptor will stand once it is open."""
        return frozenset({"tool"})

    @property
    def loudness(self) -> Mode:
        """The mode of what it only says, whatever it would refuse."""
        return "audit" if self.mode == "audit" else "warn"

    def handles(self, _tool: Annotations, /) -> bool:
        """Whether the kind does anything about calls of a tool that behaves like this."""
        return True


def touched_by(places: Iterable[str]) -> Touched:
    """What a kind touches that looks at these places: `input` and `output` are those of turns, the others of calls."""
    return frozenset("model" if place in ("input", "output") else "tool" for place in places)


def conversation(ctx: RunContext | ToolContext) -> str:
    """Who counts where something is for each session; a run without a session is one of its own."""
    return ctx.session.id or ctx.run


def unheard(ctx: ToolContext) -> ToolContext:
    """The context of a call of which nothing is told before its result is judged: neither what the tool prints while it
    runs, nor events of its own."""
    return replace(ctx, output=_silent, emit=_silent)


def _silent(_what: str, /, *_text: str, **_data: Any) -> None:
    """Nobody hears it."""


class Passing:
    """Lets every turn and every call pass; kinds override what they are about."""

    touches: Touched = frozenset({"tool"})
    streams: Streams = "pass"

    def around_model(
        self, _ctx: RunContext, request: ModelRequest, call_next: ModelNext, /
    ) -> AsyncGenerator[ModelEvent]:
        """See `Interceptor.around_model`."""
        return call_next(request)

    async def around_tool(self, ctx: ToolContext, call: ToolCall, call_next: ToolNext, /) -> ToolResult:
        """See `Interceptor.around_tool`."""
        return await call_next(call, ctx)
