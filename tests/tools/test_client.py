"""Tools of kind `client`: what the model is told of them, and what becomes of what a front end posts."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from headgate.compile.fold import bind
from headgate.core.errors import ToolError
from headgate.core.kind import Scope
from headgate.core.messages import Text
from headgate.core.ports import Annotations, ClientTool
from headgate.testing.tool_kit import Listener, check_definition, opened
from headgate.tools.client import KIND, ClientSpec
from headgate.tools.function import KIND as FUNCTION
from tests.tools import samples


def tool(**keys: Any) -> Any:
    return opened(KIND, {"description": "A sample.", **keys}, scrub=lambda text: text.replace("hunter22", "[redacted]"))


def spec(**keys: Any) -> ClientSpec:
    return ClientSpec.model_validate({"kind": "client", "description": "A sample.", **keys})


async def test_the_definition() -> None:
    """It is marked as executed by the client, has MCP's annotations, and two minutes unless it says otherwise."""
    async with tool() as plain, tool(expires="30s", annotations={"read_only": True}) as quick:
        check_definition(plain, "sample")
        assert (plain.definition.kind, plain.definition.location) == ("client", "client")
        assert (plain.definition.annotations, plain.timeout) == (Annotations(), 120.0)
        assert (quick.definition.annotations.destructive, quick.timeout) == (False, 30.0)


async def test_it_cannot_be_called() -> None:
    """Nothing runs here, whoever calls."""
    async with tool() as held:
        with pytest.raises(ToolError, match=r"^not_supported: sample is executed by the front end") as caught:
            await held.call({}, Listener().context())
    assert not caught.value.retryable


@pytest.mark.parametrize("value", [{"picked": ["a"]}, [1, None, True], 3.5, None])
async def test_a_posted_value_is_the_result(value: Any) -> None:
    """Any JSON value may be posted."""
    async with tool() as held:
        assert held.receive(value).payload == value


async def test_a_posted_text_is_text() -> None:
    """A string is read by the model as it is, not as JSON."""
    async with tool() as held:
        assert held.receive("Yes").content == (Text("Yes"),)


async def test_a_posted_value_is_shaped() -> None:
    """`output` applies to what was posted."""
    async with tool(output="files[].name") as held:
        assert held.receive({"files": [{"name": "a.txt", "size": 3}]}).structured == ["a.txt"]


async def test_a_posted_value_is_cleaned() -> None:
    """Hidden characters and secrets of the gateway do not reach the model, in names neither."""
    async with tool() as held:
        assert held.receive({"a\u200b": ["x\x07", "hunter22"]}).structured == {"a": ["x", "[redacted]"]}


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ("x" * (1 << 20), "result_too_large"),
        (float("nan"), "invalid_result"),
        ({"n": {1}}, "invalid_result"),
        ({"n": "three"}, "invalid_result"),
    ],
)
async def test_a_value_that_cannot_be_used_is_a_failed_result(value: Any, code: str) -> None:
    """The model is told why; nothing is raised."""
    async with tool(output="abs(n)") as held:
        result = held.receive(value)
    assert result.status == "error"
    assert result.error is not None
    assert result.error.code == code


async def test_deep_nesting_is_a_failed_result() -> None:
    """A value nested beyond what can be walked is refused."""
    value: list[Any] = []
    for _ in range(20_000):
        value = [value]
    async with tool() as held:
        assert held.receive(value).payload["error"]["code"] == "invalid_result"


async def test_the_engine_is_given_the_way_in() -> None:
    """What is bound of a client tool can receive, and of any other cannot."""
    body = {"description": "A sample.", "call": f"{samples.__name__}:greet"}
    async with tool() as held, opened(FUNCTION, body, packages=(samples.__name__,)) as other:
        assert isinstance(held, ClientTool)
        assert not isinstance(other, ClientTool)
        bound = bind(held)
        assert bound.receive is not None
        assert (bound.receive({"n": 1}).structured, bound.timeout) == ({"n": 1}, 120.0)
        assert bind(other).receive is None


def test_a_time_limit_is_called_expires() -> None:
    """The key of the other kinds would not say what it limits."""
    (found,) = KIND.check(spec(timeout="10s"), Scope("sample"))
    assert (found.key, found.code, found.hint) == (("timeout",), "HG1003", "write 'expires'")
    assert list(KIND.check(spec(expires="10s"), Scope("sample"))) == []


@pytest.mark.parametrize("keys", [{"expires": "0s"}, {"tests": [{"expect": 1}]}, {"tests": [{"response": 1}]}])
def test_what_is_no_manifest(keys: dict[str, Any]) -> None:
    """A front end needs some time, and a test says what is posted and what comes of it."""
    with pytest.raises(ValidationError):
        spec(**keys)


def test_inline_tests_say_what_is_posted() -> None:
    """`response` is what the front end posts, `expect` what the model sees; arguments alone may fail too."""
    first, second = spec(
        tests=[{"response": {"n": 1}, "expect": 1}, {"args": {"x": 1}, "error": "invalid_arguments"}]
    ).tests
    assert (first.response, first.expect, second.error) == ({"n": 1}, 1, "invalid_arguments")


def test_a_shape_is_compared_with_the_tests() -> None:
    """A member that no posted value has is a warning."""
    held = spec(output="files[].nme", tests=[{"response": {"files": [{"name": "a"}]}, "expect": []}])
    (found,) = KIND.check(held, Scope("sample"))
    assert (found.key, found.code, found.severity) == (("output",), "HG1304", "warning")
