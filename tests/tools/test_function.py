"""Tools of kind `function`: what may be called, and what a call does."""

from __future__ import annotations

from typing import Any

import pytest

from headgate.core.errors import ConfigError
from headgate.core.kind import Env, Finding, Scope
from headgate.core.messages import Text
from headgate.net.client import open_client
from headgate.net.egress import Egress
from headgate.testing.tool_kit import (
    Listener,
    check_cancellation,
    check_definition,
    check_failure,
    check_result,
    opened,
)
from headgate.tools.function import KIND
from headgate.tools.function.spec import FunctionSpec
from tests.tools import samples

PACKAGES = ("tests.tools.samples", "tests.tools.broken_import", "tests.tools.broken_need", "tests.tools.absent")


def tool(function: str, **keys: Any) -> Any:
    body = {"description": "A sample.", "call": f"tests.tools.samples:{function}", **keys}
    return opened(KIND, body, packages=PACKAGES, scrub=lambda text: text.replace("hunter22", "[redacted]"))


def findings(call: str, packages: tuple[str, ...] = PACKAGES, **keys: Any) -> list[Finding]:
    spec = FunctionSpec.model_validate({"kind": "function", "description": "A sample.", "call": call, **keys})
    return list(KIND.check(spec, Scope("sample", packages)))


async def test_the_schema_comes_from_the_hints() -> None:
    """Without `input:` the model is told what the type hints and their annotations say."""
    async with tool("greet") as greet:
        check_definition(greet, "sample")
        assert greet.definition.input_schema == {
            "type": "object",
            "properties": {
                "name": {"description": "Whom to greet", "type": "string"},
                "loud": {"default": False, "type": "boolean"},
            },
            "required": ["name"],
            "additionalProperties": False,
        }


async def test_the_schema_is_the_same_each_time() -> None:
    """The schema of a function is deterministic, also with nested types."""
    async with tool("bill") as first, tool("bill") as second:
        assert first.definition == second.definition
        assert list(first.definition.input_schema["properties"]) == ["day", "plan", "to", "lines", "unit"]


async def test_arguments_arrive_as_the_hinted_types() -> None:
    """Dates, enums, data classes and models are made before the call; defaults are the function's own."""
    args = {"day": "2026-03-01", "plan": "gold", "to": {"city": "Ulm"}, "lines": [{"id": 1, "amount": 2.5}]}
    async with tool("bill") as bill:
        result = await check_result(bill, args)
    assert result.structured == {"year": 2026, "plan": "GOLD", "city": "Ulm", "total": 2.5, "unit": "eur"}


async def test_parameters_may_have_any_name() -> None:
    """Names that mean something to the validation library are just names."""
    async with tool("odd_names") as odd:
        assert (await check_result(odd, {"json": 5, "schema": 6, "_id": 7})).structured == [5, 6, 7, 2]


@pytest.mark.parametrize(
    ("args", "message"),
    [({"n": "x"}, "n: "), ({}, "n: "), ({"n": 1, "m": 2}, "m: ")],
)
async def test_arguments_that_do_not_fit_are_an_error(args: dict[str, Any], message: str) -> None:
    """What the hints refuse is told by name and without the value."""
    async with tool("wrapped") as wrapped:
        failure = await check_failure(wrapped, args)
    assert failure.code == "invalid_arguments"
    assert failure.message.startswith(message)


@pytest.mark.parametrize("function", ["talk", "talk_in_a_thread"])
async def test_a_function_may_take_the_context(function: str) -> None:
    """`ctx` is passed, is not in the schema, and what it emits arrives, from a thread too."""
    listener = Listener()
    async with tool(function) as talk:
        assert list(talk.definition.input_schema["properties"]) == ["topic"]
        result = await talk.call({"topic": "x"}, listener.context())
    assert (listener.events, listener.output) == ([("progress", {"topic": "x"})], [("stdout", "line")])
    assert result.payload in ("sess_1", "tool-sample_0")


@pytest.mark.parametrize(("function", "value"), [("wrapped", 4), ("doubler", 6), ("lazy_result", 3)])
async def test_wrapped_functions_and_callable_objects(function: str, value: int) -> None:
    """A decorated function, an object with `__call__`, and a result hint for type checkers alone all work."""
    name = "price" if function == "lazy_result" else "n"
    async with tool(function) as made:
        assert (await check_result(made, {name: 3})).structured == value


@pytest.mark.parametrize(
    ("what", "payload"),
    [
        ("none", None),
        ("number", 3),
        ("hidden", "abc"),
        ("nested", {"a": ["x"]}),
        ("secret", {"token": "[redacted]"}),
        ("result", {"a": [1, 2]}),
    ],
)
async def test_results(what: str, payload: Any) -> None:
    """JSON is structured, text is content; hidden characters and secrets are taken out."""
    async with tool("give") as give:
        assert (await check_result(give, {"what": what})).payload == payload


async def test_a_result_of_the_function_itself_passes() -> None:
    """A `ToolResult` keeps its parts, and an error in it stays one."""
    async with tool("give") as give:
        assert (await check_result(give, {"what": "result"})).content == (Text("text"),)
        assert (await check_failure(give, {"what": "failed"})).code == "no_stock"


@pytest.mark.parametrize("what", ["set", "nan", "bad result"])
async def test_results_that_are_not_json_are_errors(what: str) -> None:
    """What JSON cannot express is an `invalid_result`."""
    async with tool("give") as give:
        assert (await check_failure(give, {"what": what})).code == "invalid_result"


async def test_results_are_bounded() -> None:
    """A value without end is too large."""
    async with tool("give") as give:
        assert (await check_failure(give, {"what": "loop"})).code == "result_too_large"


@pytest.mark.parametrize(("what", "payload"), [("result", [1, 2]), ("secret", None)])
async def test_output_shapes_the_result(what: str, payload: Any) -> None:
    """`output:` is applied to JSON, and to the structured data of a result."""
    async with tool("give", output="a") as give:
        assert (await check_result(give, {"what": what})).structured == payload


async def test_a_tool_error_is_told_as_it_is() -> None:
    """Code, message, retryable and details of a `ToolError` reach the model, without secrets."""
    async with tool("fail") as fail:
        failure = await check_failure(fail, {"how": "tool"})
    assert str(failure) == "no_customer: There is no customer [redacted]."
    assert (failure.retryable, failure.details) == (True, {"n": 1})


@pytest.mark.parametrize(("how", "name"), [("other", "ValueError"), ("timeout", "TimeoutError")])
async def test_other_exceptions_are_told_by_type(how: str, name: str) -> None:
    """An exception that was not meant for the model becomes an error without its text."""
    async with tool("fail") as fail:
        failure = await check_failure(fail, {"how": how})
    assert str(failure) == f"tool_error: sample failed with {name}"


async def test_a_call_ends_at_its_deadline() -> None:
    """A function that does not answer is a time-out."""
    async with tool("wait_for_ever") as wait:
        assert (await check_failure(wait, {}, timeout=0.01)).code == "tool_timeout"


async def test_cancellation_reaches_the_function() -> None:
    """A cancelled call is cancelled inside the function."""
    samples.started.clear()
    samples.ended.clear()
    async with tool("wait_for_ever") as wait:
        await check_cancellation(wait, {}, samples.started, samples.ended)


async def test_the_time_limit_is_that_of_the_manifest() -> None:
    """`timeout:` is the limit, 30 seconds if it is unstated."""
    async with tool("greet") as plain, tool("greet", timeout="2s") as quick:
        assert (plain.timeout, quick.timeout) == (30.0, 2.0)


def test_a_package_must_be_listed() -> None:
    """A module outside `[functions] packages` is refused, also one whose name merely begins the same."""
    for packages in ((), ("tool",), ("tests.tools.samples2",)):
        (finding,) = findings("tests.tools.samples:greet", packages)
        assert (finding.key, finding.code) == (("call",), "HG1402")
        assert finding.hint == "add 'tests' to it"
    assert findings("tests.tools.samples:greet", ("tests.tools",)) == []


def test_what_a_module_imported_is_not_its_own() -> None:
    """A function from elsewhere is not callable through an allowed module that imports it."""
    (finding,) = findings("tests.tools.samples:run")
    assert "subprocess may not be called: it is defined outside" in finding.message


@pytest.mark.parametrize(
    ("call", "message", "offset"),
    [
        ("tests.tools.samples:gret", "has no function 'gret'", 20),
        ("tests.tools.samples:NUMBER", "'NUMBER' is not a function", 20),
        ("tests.tools.samples:Address", "'Address' is not a function", 20),
        ("tests.tools.samples:stream", "is a generator", 20),
        ("tests.tools.samples:stream_async", "is a generator", 20),
        ("tests.tools.absent:f", "there is no module 'tests.tools.absent'", None),
        ("tests.tools.broken_import:f", "RuntimeError: no database here", None),
        ("tests.tools.broken_need:f", "it needs 'not_there_at_all'", None),
        ("tests.tools.samples:unhinted", "'name' has no type hint", None),
        ("tests.tools.samples:lazy_hint", "cannot be read: name 'Decimal' is not defined", None),
        ("tests.tools.samples:variadic", "takes *args", None),
        ("tests.tools.samples:keywords", "takes *kwargs", None),
        ("tests.tools.samples:positional", "positional-only", None),
        ("tests.tools.samples:exotic", "have no JSON Schema", None),
    ],
)
def test_functions_that_cannot_be_called_are_findings(call: str, message: str, offset: int | None) -> None:
    """Each is one finding that says why, at its place in the value."""
    (finding,) = findings(call)
    assert (finding.key, finding.code, finding.offset) == (("call",), "HG1402", offset)
    assert message in finding.message


def test_a_misspelt_function_is_suggested() -> None:
    """The hint names the function that was probably meant, or those that there are."""
    assert findings("tests.tools.samples:gret")[0].hint == "did you mean 'greet'?"
    assert "greet" in findings("tests.tools.samples:zzzz")[0].hint


def test_a_stated_input_must_fit_the_function() -> None:
    """A required parameter must be in it, and required; a property that is no parameter is refused."""
    properties = {"loud": {"type": "boolean"}, "volume": {"type": "integer"}}
    found = findings("tests.tools.samples:greet", input={"type": "object", "properties": properties})
    assert [(each.key, each.severity) for each in found] == [
        (("input",), "error"),
        (("input", "properties", "volume"), "error"),
    ]
    optional = {"type": "object", "properties": {"name": {"type": "string"}}}
    assert [each.severity for each in findings("tests.tools.samples:greet", input=optional)] == ["warning"]


async def test_a_stated_input_is_what_the_model_sees() -> None:
    """`input:` wins over the hints, and needs none; arguments are coerced all the same."""
    schema = {"type": "object", "properties": {"name": {"enum": ["a"]}}, "required": ["name"]}
    async with tool("unhinted", input=schema) as unhinted:
        assert unhinted.definition.input_schema == schema
        assert (await check_result(unhinted, {"name": "a"})).payload == "a"


async def test_opening_checks_again() -> None:
    """A function that cannot be called is a `ConfigError` when it is opened."""
    spec = FunctionSpec.model_validate({"kind": "function", "description": "x", "call": "os:getcwd"})
    async with open_client(Egress()) as client:
        with pytest.raises(ConfigError, match="os may not be called"):
            async with KIND.open(spec, Env("sample", client, read=lambda _path: b"")):
                pass
