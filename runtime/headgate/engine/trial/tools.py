"""One inline test of a tool: its real templates, parsing and shape, with canned answers in the world's place."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator
from typing import Any
from urllib.parse import parse_qs

import httpx2
import msgspec

from headgate.compile.draft import Item
from headgate.compile.fold import bind
from headgate.compile.plan import AgentPlan, ModelChoice
from headgate.compile.prompt import Prompt
from headgate.compile.specs import Agent
from headgate.core.context import RunContext, SessionInfo
from headgate.core.errors import ProviderError
from headgate.core.messages import ToolCall, ToolResult
from headgate.core.ports import ClientTool, ModelEvent, ModelRequest, Tool
from headgate.engine.bell import Bell
from headgate.engine.dispatch import Dispatch
from headgate.engine.eventlog import EventLog
from headgate.engine.inputs import Inputs
from headgate.engine.questions import Questions
from headgate.engine.recorder import Recorder
from headgate.engine.spill import Spill
from headgate.engine.stillness import Stillness
from headgate.engine.teller import Teller
from headgate.engine.trial.bench import Bench, is_safe, token_url
from headgate.engine.trial.canned import CannedServer, FrontEnd, Stage, Wire
from headgate.engine.trial.compare import judge
from headgate.engine.trial.ledger import unkept
from headgate.engine.trial.verdict import Failure, cannot_run, cut, shown
from headgate.engine.turn import CallState
from headgate.tools.client import ClientTest
from headgate.tools.command.invocation import Invocation
from headgate.tools.command.spec import CommandTest
from headgate.tools.content import is_json, media_type
from headgate.tools.function.spec import FunctionSpec
from headgate.tools.http.spec import ExpectedRequest, HttpTest
from headgate.tools.mcp.renamed import RenamedTool
from headgate.tools.mcp.spec import McpTest
from headgate.tools.trials import ToolTest

_UNSAFE_HINT = "if it is so, state annotations: {read_only: true, open_world: false}"
_FORM = "application/x-www-form-urlencoded"


async def try_tool(bench: Bench, item: Item, test: ToolTest) -> list[Failure]:
    """What is wrong with one test; its keys are relative to the test."""
    match test:
        case HttpTest():
            return await _try_http(bench, item, test)
        case CommandTest():
            return await _try_command(bench, item, test)
        case ClientTest():
            return await _try_client(bench, item, test)
        case McpTest():
            return await _try_mcp(bench, item, test)
        case _ if isinstance(item.spec, FunctionSpec):
            return await _try_function(bench, item, test)
    return [cannot_run(f"tools of kind {item.spec.kind} have no inline tests", "remove it")]


async def _try_http(bench: Bench, item: Item, test: HttpTest) -> list[Failure]:
    one = "response" in test.model_fields_set or not test.responses
    answers = (test.response if "response" in test.model_fields_set else "",) if one else test.responses
    wire = Wire(answers, repeats=one, token_url=token_url(item.spec))
    async with bench.open(item, wire=wire) as tool:
        result = await _called(bench, tool, test)
    if wire.unanswered:
        message = f"the call made {len(wire.sent)} requests, but the test has {len(answers)} answers"
        return [Failure(("responses",), message)]
    found = _judge_result(result, test)
    if test.request is None or (found and not wire.sent):
        return found
    return [*found, *_judge_request(test.request, wire)]


async def _try_command(bench: Bench, item: Item, test: CommandTest) -> list[Failure]:
    stage = Stage(test)
    async with bench.open(item, launch=stage.program) as tool:
        result = await _called(bench, tool, test)
    found = _judge_result(result, test)
    return found if found and not stage.run else [*found, *_judge_invocation(test, stage)]


async def _try_function(bench: Bench, item: Item, test: ToolTest) -> list[Failure]:
    async with bench.open(item) as tool:
        if not is_safe(tool):
            message = "the function is not read_only, or is open_world, so it is not called in tests"
            return [cannot_run(message, _UNSAFE_HINT)]
        return _judge_result(await _called(bench, tool, test), test)


async def _try_client(bench: Bench, item: Item, test: ClientTest) -> list[Failure]:
    async with bench.open(item) as tool:
        if not isinstance(tool, ClientTool):
            return [cannot_run("the tool is not known without the environment")]
        return _judge_result(await _called(bench, FrontEnd(tool, test), test), test)


async def _try_mcp(bench: Bench, item: Item, test: McpTest) -> list[Failure]:
    server = CannedServer(item.spec, test)
    found = _judge_result(await _called(bench, RenamedTool(item.name, item.spec, server), test), test)
    if test.sent is None:
        return found
    if not server.sent:
        return [*found, Failure(("sent",), "the server was not called")]
    wrong = judge("the arguments that were sent", test.sent, server.sent[0], ("sent",))
    return [*found, wrong] if wrong else found


async def _called(bench: Bench, tool: Tool, test: ToolTest) -> ToolResult | None:
    """The result of one call through the door that every call goes through; None when it does not come in time."""
    gateway = bench.draft.gateway
    limit = gateway.limits.tool_output if gateway else 256 << 10
    name = tool.definition.name
    ledger, plan, session = unkept(), _plan(tool), SessionInfo("", "test", "test")
    recorder = Recorder(ledger, Teller("test", EventLog(), 1, None))
    questions = Questions(plan, session, ledger, recorder)
    with Spill(None, 0) as spill:
        inputs = Inputs(questions, Bell(), Stillness(recorder.tally.skip), bench.scrub)
        door = Dispatch(plan, session, recorder, questions, inputs, bench.scrub, lambda _tool: None, limit, spill)
        try:
            async with asyncio.timeout(test.timeout):
                done = await door.call(ToolCall("call_test", name, dict(test.args)), CallState(1), cut=False)
        except TimeoutError:
            return None
        return done if isinstance(done, ToolResult) else None


def _plan(tool: Tool) -> AgentPlan:
    spec, choice = Agent(description="An inline test."), ModelChoice("", _no_model, demo=True)
    return AgentPlan("test", spec, Prompt(()), choice, {}, {tool.definition.name: bind(tool)})


def _no_model(_ctx: RunContext, _request: ModelRequest) -> AsyncGenerator[ModelEvent]:
    raise ProviderError("a test of a tool has no model")


def _judge_result(result: ToolResult | None, test: ToolTest) -> list[Failure]:
    if result is None:
        return [Failure((), f"the call did not end within {test.timeout:g} s")]
    error = result.error
    if test.error is not None:
        if error is not None and error.code == test.error:
            return []
        got = f"{error.code} ({cut(error.message)})" if error else f"the result {shown(result.payload)}"
        return [Failure(("error",), "the call", f"the error {test.error}", got)]
    if error is not None:
        return [Failure(("expect",), f"the call failed: {error.code}: {cut(error.message)}")]
    if "expect" not in test.model_fields_set:
        return []
    found = judge("the result", test.expect, result.payload, ("expect",))
    return [found] if found else []


def _judge_request(expected: ExpectedRequest, wire: Wire) -> list[Failure]:
    if not wire.sent:
        return [Failure(("request",), "no request was made")]
    request = wire.sent[0]
    url = str(request.url) if "?" in (expected.url or "") else str(request.url).partition("?")[0]
    actual: dict[str, Callable[[], Any]] = {
        "method": lambda: request.method,
        "url": lambda: url,
        "query": lambda: _flat(parse_qs(request.url.query.decode(), keep_blank_values=True)),
        "body": lambda: _body(request),
    }
    given = [name for name in actual if name in expected.model_fields_set]
    wanted = {name: _texts(expected.query) if name == "query" else getattr(expected, name) for name in given}
    found = [judge(f"the {name} of the request", wanted[name], actual[name](), ("request", name)) for name in given]
    return [each for each in found if each is not None] + list(_headers(expected, request))


def _headers(expected: ExpectedRequest, request: httpx2.Request) -> Iterator[Failure]:
    for name, value in expected.headers.items():
        sent = request.headers.get(name)
        if sent != value:
            got = "nothing" if sent is None else shown(sent)
            yield Failure(("request", "headers", name), f"the header {name}", shown(value), got)


def _texts(query: Any) -> Any:
    """Query parameters as they travel: texts, and lists of them."""
    if isinstance(query, dict):
        return {name: _texts(each) for name, each in query.items()}
    if isinstance(query, list):
        return [_texts(each) for each in query]
    return query if isinstance(query, str) else msgspec.json.encode(query).decode()


def _flat(fields: dict[str, list[str]]) -> dict[str, Any]:
    return {name: values[0] if len(values) == 1 else values for name, values in fields.items()}


def _body(request: httpx2.Request) -> Any:
    media, _ = media_type(request.headers.get("content-type", ""))
    if not request.content:
        return None
    if is_json(media):
        return msgspec.json.decode(request.content)
    text = request.content.decode("utf-8", "replace")
    return _flat(parse_qs(text, keep_blank_values=True)) if media == _FORM else text


def _judge_invocation(test: CommandTest, stage: Stage) -> list[Failure]:
    given = [name for name in ("argv", "stdin") if name in test.model_fields_set]
    if not given:
        return []
    if not stage.run:
        return [Failure((given[0],), "the program was not run")]
    actual: dict[str, Any] = {"argv": list(stage.run[0].argv), "stdin": _stdin(test, stage.run[0])}
    found = [judge(f"the {name} of the program", getattr(test, name), actual[name], (name,)) for name in given]
    return [each for each in found if each is not None]


def _stdin(test: CommandTest, invocation: Invocation) -> Any:
    """What the program was given, as JSON where the test expects a structure."""
    if invocation.stdin is None:
        return None
    text = invocation.stdin.decode("utf-8", "replace")
    if isinstance(test.stdin, str):
        return text
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        return text
