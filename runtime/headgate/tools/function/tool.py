"""A tool of kind `function`, opened: its definition, and one call of it."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import functools
import inspect
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

from headgate.core.context import ToolContext
from headgate.core.errors import GatewayError, ToolError
from headgate.core.kind import Env
from headgate.core.messages import Text, ToolResult
from headgate.core.ports import Annotations, ToolDefinition
from headgate.expressions.values import NotJsonError, TooLargeError, json_size
from headgate.tools.content import tidy, visible
from headgate.tools.function.locate import locate
from headgate.tools.function.parameters import CONTEXT, Parameters
from headgate.tools.function.spec import FunctionSpec, load_parameters

MAX_RESULT = 1 << 20
"""Bytes of one result, as JSON."""
_THREADS = 8


@contextlib.asynccontextmanager
async def open_tool(spec: FunctionSpec, env: Env) -> AsyncIterator[FunctionTool]:
    """The tool, with threads of its own for a function that is not async; raises `LocateError`, a `ConfigError`.

    Closing does not wait for a function that still runs in a thread: Python cannot stop it.
    """
    function = locate(spec.call, env.packages)
    parameters = load_parameters(spec, env.packages)
    threads = ThreadPoolExecutor(_THREADS, thread_name_prefix=f"tool-{env.name}")
    try:
        yield FunctionTool(spec, env, Function(function, parameters, threads))
    finally:
        threads.shutdown(wait=False, cancel_futures=True)


class Function:
    """A function that can be awaited, whether it is async or not."""

    def __init__(self, function: Callable[..., Any], parameters: Parameters, threads: ThreadPoolExecutor) -> None:
        self._function = function
        self._threads = threads
        self._is_async = _is_async(function)
        self.parameters = parameters

    async def __call__(self, args: dict[str, Any], ctx: ToolContext) -> Any:
        """Calls it with `args` and, when it takes one, the context.

        A cancelled call of an async function is cancelled inside it. One in a thread runs on to its end, unheard:
        what it emits after that is dropped, as is its result.
        """
        if self._is_async:
            return await self._function(**args, **self._context(ctx))
        loop, bridge = asyncio.get_running_loop(), Bridge(ctx)
        bound = functools.partial(self._function, **args, **self._context(bridge.context))
        try:
            result = await loop.run_in_executor(self._threads, contextvars.copy_context().run, bound)
        finally:
            bridge.closed = True
        return await result if inspect.isawaitable(result) else result

    def _context(self, ctx: ToolContext) -> dict[str, ToolContext]:
        return {CONTEXT: ctx} if self.parameters.takes_context else {}


def _is_async(function: Callable[..., Any]) -> bool:
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(type(function).__call__)


class Bridge:
    """A context for a function in a thread: what it emits is handed to the event loop, in order, until it is closed."""

    def __init__(self, ctx: ToolContext) -> None:
        self._loop = asyncio.get_running_loop()
        self._ctx = ctx
        self.closed = False
        self.context = replace(ctx, emit=self._emit, output=self._output)

    def _emit(self, kind: str, /, **data: Any) -> None:
        self._pass(functools.partial(self._ctx.emit, kind, **data))

    def _output(self, stream: str, text: str, /) -> None:
        self._pass(functools.partial(self._ctx.output, stream, text))

    def _pass(self, event: Callable[[], None]) -> None:
        if not self.closed and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._deliver, event)

    def _deliver(self, event: Callable[[], None]) -> None:
        if not self.closed:
            event()


class FunctionTool:
    """Calls a function with validated arguments and turns what it returns into a result."""

    def __init__(self, spec: FunctionSpec, env: Env, function: Function) -> None:
        self._spec = spec
        self._env = env
        self._function = function
        schema = dict(function.parameters.schema) if spec.input is None else spec.input
        behaviour = spec.annotations.over(Annotations())
        self.definition = ToolDefinition(env.name, spec.description, schema, behaviour, kind="function")
        self.timeout = spec.seconds

    async def call(self, args: dict[str, Any], ctx: ToolContext, /) -> ToolResult:
        """Runs one call; raises `ToolError`, whatever the function raised.

        Of an error that the function did not mean for the model only the type is told: its text may hold anything.
        """
        coerced = self._function.parameters.coerce(args)
        try:
            async with asyncio.timeout_at(ctx.deadline):
                value = await self._function(coerced, ctx)
        except GatewayError as error:
            message = visible(self._env.scrub(error.message))
            raise ToolError(error.code, message, retryable=error.retryable, details=error.details) from error
        except TimeoutError as error:
            raise _timed_out(self._env.name, ctx) from error
        # The function is the user's code and may fail in any way at all; the model reads that it did.
        except Exception as error:
            raise ToolError("tool_error", f"{self._env.name} failed with {type(error).__name__}") from error
        return self._result(value)

    def _result(self, value: Any) -> ToolResult:
        if isinstance(value, ToolResult):
            return self._checked(value)
        shaped = self._shaped(self._sound(value))
        return ToolResult(content=(Text(shaped),)) if isinstance(shaped, str) else ToolResult(structured=shaped)

    def _checked(self, result: ToolResult) -> ToolResult:
        """A result that the function made itself: as it is, if all of it is sound."""
        content = tuple(Text(self._sound(part.text)) if isinstance(part, Text) else part for part in result.content)
        structured = self._sound(result.structured)
        if structured is not None and result.error is None:
            structured = self._shaped(structured)
        return ToolResult(result.status, content, structured, result.error, self._sound(result.meta))

    def _shaped(self, value: Any) -> Any:
        return value if self._spec.output is None else self._spec.output.apply(value, MAX_RESULT)

    def _sound(self, value: Any) -> Any:
        """The value, if it is JSON of a bearable size, without hidden characters and secrets."""
        try:
            json_size(value, MAX_RESULT)
            return tidy(value, lambda text: visible(self._env.scrub(text)))
        except NotJsonError as error:
            raise ToolError("invalid_result", f"{self._env.name} returned no JSON: {error}") from error
        except TooLargeError as error:
            raise ToolError("result_too_large", f"the result of {self._env.name} is {error}") from error
        except RecursionError as error:
            raise ToolError("invalid_result", f"the result of {self._env.name} is nested too deeply") from error


def _timed_out(name: str, ctx: ToolContext) -> ToolError:
    """The deadline of the call, or a time-out inside the function, which is just another failure of it."""
    if asyncio.get_running_loop().time() >= ctx.deadline:
        return ToolError("tool_timeout", f"{name} did not answer in time", retryable=True)
    return ToolError("tool_error", f"{name} failed with TimeoutError")
