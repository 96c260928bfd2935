"""A tool of kind `command`, opened: its definition, and one call of it."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import functools
import signal
from collections.abc import AsyncIterator, Callable
from typing import Any

from headgate.core.context import ToolContext
from headgate.core.errors import ConfigError, ToolError
from headgate.core.kind import Env, Scope
from headgate.core.messages import ErrorInfo, Text, ToolResult
from headgate.core.outlast import finish
from headgate.core.ports import ToolDefinition
from headgate.core.scalars import size_text
from headgate.tools.command.checks import check
from headgate.tools.command.invocation import Invocation, Recipe, prepare
from headgate.tools.command.output import Stream
from headgate.tools.command.process import Process, Program, Receive
from headgate.tools.command.spec import CommandSpec
from headgate.tools.content import read_json, visible

_SHOWN = 1000
_SHOWN_JSON = 200
_PASSING = frozenset({errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE, errno.ETXTBSY})


@contextlib.asynccontextmanager
async def open_tool(spec: CommandSpec, env: Env) -> AsyncIterator[CommandTool]:
    """The tool; leaving ends the programs that still run. Raises `ConfigError` when the program cannot be found."""
    for finding in check(spec, Scope(env.name, env.packages)):
        if finding.severity == "error":
            raise ConfigError(finding.message, key=finding.key, hint=finding.hint)
    tool = CommandTool(env, prepare(spec, env))
    try:
        yield tool
    finally:
        await tool.close()


class CommandTool:
    """Runs a program once a call; `program` makes one run of it, from the receiver of what it writes."""

    def __init__(self, env: Env, recipe: Recipe, program: Callable[[Receive], Program] = Process) -> None:
        spec = recipe.spec
        self._spec = spec
        self._env = env
        self._recipe = recipe
        self._program = program
        self._running: dict[asyncio.Task[int], Program] = {}
        behaviour = spec.behaviour
        self.definition = ToolDefinition(env.name, spec.description, spec.input_schema, behaviour, kind="command")
        self.timeout = spec.seconds

    async def call(self, args: dict[str, Any], ctx: ToolContext, /) -> ToolResult:
        """Runs one call; a bad exit status is a result of its own, every other failure raises `ToolError`.

        It ends only when the program and its process group are gone, also when it is cancelled or out of time, which
        may take the grace of two seconds more.
        """
        invocation = self._recipe.fill(args)
        out, err = (self._listen(ctx, name) for name in ("stdout", "stderr"))
        process = self._program(lambda fd, data: (out if fd == 1 else err).feed(data))
        try:
            status = await self._run(process, invocation, ctx.deadline)
        except TimeoutError as error:
            raise ToolError("tool_timeout", f"{self._env.name} did not end in time", retryable=True) from error
        except OSError as error:
            raise self._not_started(error) from error
        finally:
            out.close()
            err.close()
        return self._result(status, out, err)

    async def close(self) -> None:
        """Ends every program that still runs; a call that waits for one fails with its exit status."""
        for process in self._running.values():
            process.stop()
        await asyncio.gather(*self._running, return_exceptions=True)

    def _listen(self, ctx: ToolContext, name: str) -> Stream:
        return Stream(self._spec.max_output, self._clean, functools.partial(ctx.output, name))

    async def _run(self, process: Program, invocation: Invocation, deadline: float) -> int:
        """The program has a task of its own, which no cancellation of the call can stop half-way."""
        task = asyncio.create_task(process.run(invocation), name=f"command {self._env.name}")
        self._running[task] = process
        try:
            async with asyncio.timeout_at(deadline):
                await asyncio.wait({task})
        finally:
            process.stop()
            try:
                await finish(task)
            finally:
                del self._running[task]
        return task.result()

    def _not_started(self, error: OSError) -> ToolError:
        if error.errno == errno.E2BIG:
            return ToolError("invalid_arguments", "the arguments are longer than the system allows")
        reason = f"{self._env.name} could not be started: {error.strerror or type(error).__name__}"
        return ToolError("tool_error", reason, retryable=error.errno in _PASSING)

    def _result(self, status: int, out: Stream, err: Stream) -> ToolResult:
        meta: dict[str, Any] = {"exit_code": status} if status >= 0 else {"signal": _signal_name(status)}
        if err.size:
            meta["stderr"] = err.tail
        if out.is_cut:
            meta["cut"] = {"bytes": out.size, "shown": self._spec.max_output}
        if status not in self._spec.ok_exit:
            return self._failure(status, out, err, meta)
        if self._spec.parse == "json":
            return ToolResult(structured=self._structured(out), meta=meta)
        return ToolResult(content=(Text(self._text(out)),) if out.size else (), meta=meta)

    def _text(self, out: Stream) -> str:
        if not out.is_cut:
            return out.text
        return f"{out.text}\n[cut: {self._spec.max_output} of {out.size} bytes are shown]"

    def _structured(self, out: Stream) -> Any:
        if out.is_cut:
            limit = size_text(self._spec.max_output)
            raise ToolError("result_too_large", f"{self._env.name} printed {out.size} bytes; max_output is {limit}")
        if not out.size:
            raise ToolError("invalid_result", f"{self._env.name} printed nothing instead of JSON")
        try:
            value = read_json(out.body, self._clean)
        except ToolError as error:
            reason = self._clean(_explain(error))
            message = f"{self._env.name} printed no valid JSON: {reason}; it begins: {out.text[:_SHOWN_JSON]}"
            raise ToolError("invalid_result", message) from error
        return value if self._spec.output is None else self._spec.output.apply(value, self._spec.max_output)

    def _failure(self, status: int, out: Stream, err: Stream, meta: dict[str, Any]) -> ToolResult:
        """The result for a bad exit status: the last that the program said, on either output."""
        how = f"exit status {status}" if status >= 0 else f"signal {_signal_name(status)}"
        said = (err.tail.strip() or out.tail.strip())[-_SHOWN:]
        message = f"{self._env.name} ended with {how}" + (f": {said}" if said else "")
        details: dict[str, Any] = {name: meta[name] for name in ("exit_code", "signal") if name in meta}
        return ToolResult(status="error", error=ErrorInfo("exit_status", message, details=details), meta=meta)

    def _clean(self, text: str) -> str:
        return visible(self._env.scrub(text))


def _explain(error: ToolError) -> str:
    """The parser's own reason, which has the position, where there is one."""
    cause = error.__cause__
    return str(cause) if isinstance(cause, ValueError) else error.message


def _signal_name(status: int) -> str:
    try:
        return signal.Signals(-status).name
    except ValueError:
        return str(-status)
