"""What a model turn is asked with, and what comes of it, in provider-neutral words: tools as models read of them, the
request, and the events of a turn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec

from headgate.core.messages import ErrorInfo, Message, StopReason, Usage


@dataclass(frozen=True, slots=True)
class Annotations:
    """Behaviour hints of a tool, with MCP's defaults for what is unstated."""

    read_only: bool = False
    destructive: bool = True
    idempotent: bool = False
    open_world: bool = True


@dataclass(frozen=True, slots=True)
class ToolDefinition:
    """What a model is told about a tool; `input_schema` is a JSON Schema (2020-12) of an object.

    `location` is where the tool is executed, which the model is not told: `backend`, or `client` when the caller's
    front end does it. `personal` says that it acts with the account of who calls: what it answers one is not for
    others.
    """

    name: str
    description: str
    input_schema: dict[str, Any]
    annotations: Annotations = Annotations()
    kind: str = ""
    server: str | None = None
    location: str = "backend"
    personal: bool = False


class Broken(msgspec.Struct, frozen=True):
    """A try at a turn that was broken off after the provider had said what it uses; `cost` and `provider` are as in
    `TurnDone`."""

    usage: Usage
    model: str
    cost: float | None = None
    provider: str = ""


def unheard(_broken: Broken, /) -> None:
    """Nobody hears."""


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """One provider turn, in provider-neutral words.

    `attempt` counts from 0 and grows with every retry of the same turn. `turn` counts from 1 within the run. `broken`
    is told of every try that was broken off, also by whoever closes the stream, once it is known what it used.
    """

    model: str
    system: str
    messages: tuple[Message, ...]
    tools: tuple[ToolDefinition, ...] = ()
    max_output_tokens: int | None = None
    thinking: str | int | None = None
    session: str = ""
    run: str = ""
    turn: int = 1
    attempt: int = 0
    broken: Callable[[Broken], None] = field(default=unheard, repr=False, compare=False)


class TextChunk(msgspec.Struct, frozen=True):
    """A piece of text, not empty."""

    text: str


class ThinkingChunk(msgspec.Struct, frozen=True):
    """A piece of thinking, not empty."""

    text: str


class Restarted(msgspec.Struct, frozen=True):
    """The turn is made again from its beginning: what was yielded before is void."""

    attempt: int
    reason: ErrorInfo
    delay: float
    model: str


class TurnDone(msgspec.Struct, frozen=True):
    """The turn is whole: always the last event of a stream, and exactly once.

    `cut` is true when the provider stopped in the middle of a tool call, whose arguments cannot be trusted then.
    `cost` is in USD, None when the model has no known price. `replaced` says that an interceptor speaks in the
    model's place. `provider` is the one of the manifest that made the turn, which it need not know itself.
    """

    message: Message
    usage: Usage
    stop: StopReason
    model: str
    cost: float | None = None
    cut: bool = False
    replaced: bool = False
    provider: str = ""


ModelEvent = TextChunk | ThinkingChunk | Restarted | TurnDone
