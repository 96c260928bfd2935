"""Opens the tools of a draft in such a way that no call of them leaves the process."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any

import httpx2

from headgate.compile.applied import Applied
from headgate.compile.decode import touches
from headgate.compile.draft import Draft, Item
from headgate.core.context import ToolContext
from headgate.core.errors import ConfigError, ToolError
from headgate.core.kind import Env
from headgate.core.messages import ToolResult
from headgate.core.ports import Annotations, Tool, ToolDefinition
from headgate.engine.trial.canned import Launch, Wire
from headgate.expressions.template import as_text
from headgate.manifest.redaction import Redactor
from headgate.net.client import USER_AGENT
from headgate.net.oauth import ClientCredentials
from headgate.tools.client import ClientSpec
from headgate.tools.command.invocation import Recipe
from headgate.tools.command.process import Receive
from headgate.tools.command.spec import CommandSpec
from headgate.tools.command.tool import CommandTool
from headgate.tools.common import DEFAULT_TIMEOUT, ToolSpec
from headgate.tools.function.spec import FunctionSpec
from headgate.tools.http.spec import HttpSpec


class NotKnown(ConfigError):
    """The object refers to an environment that was left out."""


class Bench:
    """Where the tools of one draft are tried; `environ` is what function tools may see of the environment."""

    def __init__(self, draft: Draft, environ: Mapping[str, str]) -> None:
        self.draft = draft
        self.packages = draft.gateway.functions.packages if draft.gateway else ()
        self.scrub = Redactor(draft.secrets).scrub
        self._environ = environ

    @contextlib.asynccontextmanager
    async def open(self, item: Item, *, wire: Wire | None = None, launch: Launch | None = None) -> AsyncIterator[Tool]:
        """The tool; raises `ConfigError`, and `NotKnown` when that may be for want of the environment."""
        async with contextlib.AsyncExitStack() as stack:
            try:
                tool = await stack.enter_async_context(self._opened(item, wire or Wire(), launch))
            except ConfigError as error:
                if touches(item.site.silent, error.key):
                    raise NotKnown(error.message, key=error.key, hint=error.hint) from error
                raise
            yield tool

    @contextlib.asynccontextmanager
    async def _opened(self, item: Item, wire: Wire, launch: Launch | None) -> AsyncIterator[Tool]:
        spec = item.spec
        async with httpx2.AsyncClient(transport=wire, trust_env=False, headers={"User-Agent": USER_AGENT}) as client:
            env = self._env(item.name, client)
            if isinstance(spec, CommandSpec):
                yield CommandTool(env, Recipe(spec, as_text(spec.argv[0].node), "", {}), launch or _refuse)
            elif isinstance(spec, HttpSpec | FunctionSpec | ClientSpec) and item.kind is not None:
                async with item.kind.open(_hurried(spec), env) as tool:
                    yield tool
            else:
                yield Described(item)

    @contextlib.asynccontextmanager
    async def all(self, names: Iterable[str]) -> AsyncIterator[dict[str, Tool]]:
        """Several tools, none of which can be called but for functions; one that is not known is described."""
        async with contextlib.AsyncExitStack() as stack:
            out: dict[str, Tool] = {}
            for name in names:
                item = self.draft.tools[name]
                try:
                    out[name] = await stack.enter_async_context(self.open(item))
                except NotKnown:
                    out[name] = Described(item)
            yield out

    @contextlib.asynccontextmanager
    async def around(self) -> AsyncIterator[list[Applied]]:
        """The interceptors of the gateway that need nothing but the run that they stand around, in their order."""
        async with contextlib.AsyncExitStack() as stack:
            client = await stack.enter_async_context(httpx2.AsyncClient(transport=Wire(), trust_env=False))
            out: list[Applied] = []
            for name, item in self.draft.interceptors.items():
                spec = item.spec
                if item.kind is None or spec is None or item.team is not None or not item.kind.pure(spec):
                    continue
                opened = await stack.enter_async_context(item.kind.open(spec, self._env(name, client)))
                out.append(Applied(name, opened, spec.tools, spec.agents, spec.when, spec.mode))
            yield out

    def _env(self, name: str, client: httpx2.AsyncClient) -> Env:
        read = self.draft.tree.files.__getitem__
        return Env(name, client, read, self.packages, self._environ, self.scrub)


def token_url(spec: Any) -> str:
    """Where the tool fetches tokens, or nothing."""
    return spec.auth.token_url if isinstance(spec, HttpSpec) and isinstance(spec.auth, ClientCredentials) else ""


def is_safe(tool: Tool) -> bool:
    """Whether a test may call the tool as it is: a function that says it changes nothing and stays inside."""
    definition = tool.definition
    marks = definition.annotations
    return definition.kind == "function" and marks.read_only and not marks.open_world


def _hurried(spec: ToolSpec) -> ToolSpec:
    """The spec, whose attempts follow each other without a pause."""
    if not isinstance(spec, HttpSpec) or spec.retry is None:
        return spec
    return spec.model_copy(update={"retry": spec.retry.model_copy(update={"backoff": 0.0})})


def _refuse(_receive: Receive) -> Any:
    raise ToolError("no_answer", "the test says nothing of what the program prints")


class Described:
    """A tool that is known by its manifest alone and cannot be called."""

    def __init__(self, item: Item) -> None:
        spec: ToolSpec = item.spec
        self.definition = ToolDefinition(
            item.name, spec.description, spec.input_schema, spec.annotations.over(Annotations()), kind=spec.kind
        )
        self.timeout = spec.seconds

    async def call(self, _args: dict[str, Any], _ctx: ToolContext, /) -> ToolResult:
        """Refuses."""
        raise ToolError("no_answer", "the test has no answer for this tool")


class StandIn(Described):
    """A tool of an MCP server of which nothing but its name is known: it takes any arguments."""

    def __init__(self, name: str, server: str) -> None:
        schema = {"type": "object"}
        self.definition = ToolDefinition(name, f"A tool of {server}.", schema, Annotations(), kind="mcp", server=server)
        self.timeout = DEFAULT_TIMEOUT
