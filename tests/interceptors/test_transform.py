"""Arguments and results are shaped, or the call is refused."""

from __future__ import annotations

import pytest

from headgate.compile.applied import Applied, tool_chain
from headgate.compile.fold import violations_of
from headgate.core.messages import ErrorInfo, Image, Text, ToolResult
from headgate.interceptors.transform import KIND, TransformSpec
from headgate.testing.interceptor_kit import LOOKUP, Listener, Tool, calling, check_refusal, opened


async def test_arguments_and_results() -> None:
    """The tool is given the one shape, the model sees the other."""
    table = {"arguments": "{name: customer, limit: `5`}", "result": "rows[].id"}
    image, tool = Image("image/png", b"x"), Tool((ToolResult(structured={"rows": [{"id": 1}, {"id": 2}]}),))
    async with opened(KIND, table) as transform:
        result = await transform.around_tool(Listener().call(), calling(customer="ACME"), tool)
        assert tool.calls[0].args == {"name": "ACME", "limit": 5}
        assert result.structured == [1, 2]
        texts = ToolResult(structured={"rows": [{"id": "a"}]}, content=(Text("long"), image))
        assert (await transform.around_tool(Listener().call(), calling(), Tool((texts,)))).content == (image,)


async def test_texts() -> None:
    """A shape of a text is asked about the text, and one that gives a text gives text."""
    async with opened(KIND, {"result": "join(' ', [@, 'indeed'])"}) as transform:
        result = await transform.around_tool(Listener().call(), calling(), Tool((ToolResult(content=(Text("So"),)),)))
    assert result == ToolResult(content=(Text("So indeed"),))


async def test_failed_calls_stay() -> None:
    """An error has its own form."""
    failure = ToolResult("error", error=ErrorInfo("tool_error", "It broke."))
    async with opened(KIND, {"result": "rows"}) as transform:
        assert await transform.around_tool(Listener().call(), calling(), Tool((failure,))) is failure


@pytest.mark.parametrize("table", [{"arguments": "length(@.n)"}, {"arguments": "n"}, {"result": "length(found)"}])
async def test_a_shape_that_fails_refuses(table: dict[str, str]) -> None:
    """What cannot be shaped, or gives no table of arguments, is not passed on as it is."""
    async with opened(KIND, table) as transform:
        assert (await check_refusal(transform, calling(n=5))).code == "transform_failed"


async def test_shaped_arguments_must_fit_the_tool() -> None:
    """They are checked against the tool's schema again."""
    violations = violations_of({"type": "object", "properties": {"n": {"type": "string"}}})
    tool = Tool()
    async with opened(KIND, {"arguments": "{n: n}"}) as transform:
        applied = Applied("shape", transform, ("*",), ("*",), None, "enforce")
        result = await tool_chain([applied], LOOKUP, tool, violations)(calling(n=5, more=1), Listener().call())
    assert result.error is not None
    assert (result.status, result.error.code, tool.calls) == ("denied", "invalid_arguments", [])


def test_a_table_without_a_shape() -> None:
    """One that changes nothing is refused."""
    with pytest.raises(ValueError, match="one of arguments and result is needed"):
        TransformSpec.model_validate({"kind": "transform"})
