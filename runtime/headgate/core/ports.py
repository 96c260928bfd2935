"""The ports: what the engine asks of leaves, as Protocols.

A leaf of a family fulfils one of these; the engine knows nothing else of it. The words that they are about are here
too, from `core.turns`, so that a leaf finds all in one place.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, runtime_checkable

from headgate.core.context import RunContext, ToolContext
from headgate.core.messages import ErrorInfo, ToolCall, ToolResult
from headgate.core.turns import (
    Annotations,
    Broken,
    ModelEvent,
    ModelRequest,
    Restarted,
    TextChunk,
    ThinkingChunk,
    ToolDefinition,
    TurnDone,
)

__all__ = [
    "Annotations",
    "Broken",
    "ClientTool",
    "Interceptor",
    "Model",
    "ModelCall",
    "ModelEvent",
    "ModelNext",
    "ModelRequest",
    "Provider",
    "Restarted",
    "SecretBackend",
    "SecretValue",
    "ServerHealth",
    "StandInTool",
    "Streams",
    "TextChunk",
    "ThinkingChunk",
    "Tool",
    "ToolDefinition",
    "ToolNext",
    "ToolServer",
    "TurnDone",
]


class Model(Protocol):
    """A way to have a turn made. Who stops reading closes it (`aclosing`), which cancels the provider call at once."""

    def stream(self, request: ModelRequest, /) -> AsyncGenerator[ModelEvent]:
        """Yields the turn as it is made; raises `ProviderError` when it cannot be."""
        ...


class Provider(Model, Protocol):
    """An opened provider: a model plus what the compiler and the edges need to know of it."""

    @property
    def default_model(self) -> str:
        """The model id that `model = "auto"` stands for."""
        ...

    @property
    def demo(self) -> bool:
        """Whether its answers are scripted instead of made by a model."""
        ...


class Tool(Protocol):
    """An opened tool. `call` may be cancelled at any await and must then leave nothing running."""

    @property
    def definition(self) -> ToolDefinition:
        """Name, description, schema and annotations."""
        ...

    @property
    def timeout(self) -> float:
        """Seconds that one call may take."""
        ...

    async def call(self, args: dict[str, Any], ctx: ToolContext, /) -> ToolResult:
        """Runs one validated call; raises `ToolError` for a failure that the model should read."""
        ...


@runtime_checkable
class ClientTool(Tool, Protocol):
    """A tool that the caller's front end executes: what it posts is the result of the call, and `call` is never made.

    `timeout` is how long the front end has.
    """

    def receive(self, value: Any, /) -> ToolResult:
        """The result that the posted JSON value stands for; a failed one when it cannot be used."""
        ...


class StandInTool(Tool, Protocol):
    """A tool that is there only while an MCP server lists what it stands for."""

    @property
    def missing(self) -> str:
        """Why it cannot be offered now, in a sentence; empty when it can."""
        ...

    @property
    def replaces(self) -> str | None:
        """The full name of a tool that it is offered instead of."""
        ...


@dataclass(frozen=True, slots=True)
class ServerHealth:
    """How an MCP server is; `since` is in epoch seconds.

    `restarting` is a server whose connection was lost just now, `down` one that cannot be reached. `unauthorized` is
    one that is reached with accounts of people, none of whom has let the gateway use it yet, so that its tools are not
    known; `authorizations` counts those who have. `error` is the last failure, without secrets; it stays while the
    server is ready again. `problems` are sentences about what was left out of its listing.
    """

    state: Literal["starting", "ready", "restarting", "down", "unauthorized"]
    since: float
    transport: str
    protocol: str | None = None
    software: str | None = None
    error: ErrorInfo | None = None
    restarts: int = 0
    problems: tuple[str, ...] = ()
    tools: int = 0
    prompts: int = 0
    resources: int = 0
    pid: int | None = None
    authorizations: int | None = None


class ToolServer(Protocol):
    """An open MCP server: its tools as it lists them now, and how it is."""

    @property
    def name(self) -> str:
        """The name of the server in the manifests."""
        ...

    @property
    def health(self) -> ServerHealth:
        """How it is now."""
        ...

    @property
    def version(self) -> int:
        """Another number for every other listing."""
        ...

    @property
    def required(self) -> bool:
        """Whether agents that have it may not run without it."""
        ...

    async def warm(self, timeout: float, /) -> ErrorInfo | None:
        """Waits until its tools are known; the failure when they are not within `timeout` seconds."""
        ...


ModelNext = Callable[[ModelRequest], AsyncGenerator[ModelEvent]]
ModelCall = Callable[[RunContext, ModelRequest], AsyncGenerator[ModelEvent]]
ToolNext = Callable[[ToolCall, ToolContext], Awaitable[ToolResult]]
Streams = Literal["pass", "window", "whole"]


class Interceptor(Protocol):
    """Stands around model turns and tool calls; folded once per snapshot, outermost first.

    Refusing is raising `PolicyRefused`. What is passed to `call_next` and what is returned may differ from what came.
    """

    @property
    def touches(self) -> frozenset[Literal["model", "tool"]]:
        """Around what it stands at all."""
        ...

    @property
    def streams(self) -> Streams:
        """What of a turn it holds back: nothing, a window of text, or all of it until the turn is whole. A refusal of
        one that does not hold back everything comes after text was told, which is void then."""
        ...

    def around_model(
        self, ctx: RunContext, request: ModelRequest, call_next: ModelNext, /
    ) -> AsyncGenerator[ModelEvent]:
        """Wraps one model turn."""
        ...

    async def around_tool(self, ctx: ToolContext, call: ToolCall, call_next: ToolNext, /) -> ToolResult:
        """Wraps one tool call, whose arguments are valid."""
        ...


@dataclass(frozen=True, slots=True)
class SecretValue:
    """A secret as it is now. `version` is not secret, and another one when the value has changed."""

    value: str = field(repr=False)
    version: str


class SecretBackend(Protocol):
    """An opened store of secrets."""

    async def read(self, path: str, key: str | None, /) -> SecretValue:
        """The secret at `path`, or the member `key` of it.

        Raises a `GatewayError` with the code `secret_not_found`, `secret_denied` or `secret_unavailable`, whose message
        never holds a value.
        """
        ...
