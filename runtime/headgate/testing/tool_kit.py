"""What every tool kind must keep, as checks that a test of the kind calls; and what such tests need to run.

A check raises `AssertionError` that says which contract was broken, and otherwise returns what it saw.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec
from aiohttp import web
from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError

from headgate.core.context import SessionInfo, ToolContext
from headgate.core.errors import ToolError
from headgate.core.kind import Env, Kind, Scope, Spec
from headgate.core.messages import ToolResult
from headgate.core.ports import Tool
from headgate.net.client import open_client
from headgate.net.egress import Egress

PATIENCE = 30.0
"""Seconds that a check waits for what must happen."""

AMPLE = 60.0
"""Seconds that a call may take whose time is not what is checked."""

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class Listener:
    """Makes contexts for calls, and keeps what the tool emits and outputs through them."""

    events: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    output: list[tuple[str, str]] = field(default_factory=list)

    def context(self, timeout: float = 10.0) -> ToolContext:
        """The context of one call that may take `timeout` seconds from now."""
        loop = asyncio.get_running_loop()
        return ToolContext(
            run="run_1",
            step=1,
            call_id="call_1",
            agent="assistant",
            session=SessionInfo("sess_1", team="ops", key="local"),
            deadline=loop.time() + timeout,
            emit=lambda kind, /, **data: self.events.append((kind, data)),
            output=lambda stream, text, /: self.output.append((stream, text)),
            idempotency_key="run_1:1:call_1",
            clock=loop.time,
        )


@contextlib.asynccontextmanager
async def site(routes: Mapping[str, Handler]) -> AsyncIterator[str]:
    """Serves `routes` (path to handler, every method) on a free port of 127.0.0.1 and yields the base URL."""
    app = web.Application()
    for path, handler in routes.items():
        app.router.add_route("*", path, handler)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@contextlib.asynccontextmanager
async def opened(
    kind: Kind[Any, Tool],
    body: Mapping[str, Any],
    *,
    name: str = "sample",
    packages: tuple[str, ...] = (),
    allow: tuple[str, ...] = ("127.0.0.1",),
    scrub: Callable[[str], str] = str,
) -> AsyncIterator[Tool]:
    """A tool from the body of its manifest, which must be free of findings; it may reach loopback."""
    spec: Spec = kind.spec.model_validate({"kind": kind.name, **body})
    errors = [each for each in kind.check(spec, Scope(name, packages)) if each.severity == "error"]
    assert not errors, f"the manifest has findings: {errors}"
    async with open_client(Egress(allow)) as client:
        env = Env(name, client, read=_read_nothing, packages=packages, scrub=scrub)
        async with kind.open(spec, env) as tool:
            yield tool


def _read_nothing(path: str) -> bytes:
    raise FileNotFoundError(path)


def check_definition(tool: Tool, name: str) -> None:
    """The definition has the object's name, a description, an object schema that is valid, and a time limit."""
    definition = tool.definition
    assert definition.name == name, f"the tool is called {definition.name!r}, not {name!r}"
    assert definition.description.strip(), "the tool has no description"
    assert definition.input_schema.get("type") == "object", "the input schema is not that of an object"
    try:
        Draft202012Validator.check_schema(definition.input_schema)
    except SchemaError as error:
        raise AssertionError(f"the input schema is not valid: {error.message}") from error
    msgspec.json.encode(definition.input_schema)
    assert tool.timeout > 0, "the tool has no time limit"


async def check_result(tool: Tool, args: dict[str, Any]) -> ToolResult:
    """A call that works answers an `ok` result that is JSON."""
    result = await tool.call(args, Listener().context(AMPLE))
    assert isinstance(result, ToolResult), "the tool did not answer a ToolResult"
    assert result.status == "ok", f"the call failed: {result.error}"
    assert result.error is None, "an ok result has an error"
    msgspec.json.encode(result)
    return result


async def check_failure(tool: Tool, args: dict[str, Any], timeout: float = 10.0) -> ToolError:
    """A call that fails raises `ToolError`, or answers a result with an error; either has a code and a sentence."""
    try:
        result = await tool.call(args, Listener().context(timeout))
    except ToolError as error:
        failure = error
    else:
        assert result.error is not None, "the call did not fail"
        info = result.error
        failure = ToolError(info.code, info.message, retryable=info.retryable, details=info.details)
    assert failure.code, "the failure has no code"
    assert failure.message, "the failure has no message"
    msgspec.json.encode(failure.details)
    return failure


async def check_cancellation(tool: Tool, args: dict[str, Any], started: asyncio.Event, ended: asyncio.Event) -> None:
    """A call that is cancelled after `started` ends as cancelled, and `ended` is set once nothing of it runs on."""
    call = asyncio.create_task(tool.call(args, Listener().context(AMPLE)))
    await started.wait()
    assert not ended.is_set(), "the work ended before the call was cancelled"
    call.cancel()
    (outcome,) = await asyncio.gather(call, return_exceptions=True)
    assert isinstance(outcome, asyncio.CancelledError), f"the cancelled call ended with {outcome!r}"
    try:
        async with asyncio.timeout(PATIENCE):
            await ended.wait()
    except TimeoutError as error:
        raise AssertionError("something of the cancelled call runs on") from error
