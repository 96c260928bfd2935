"""No credential goes into a tool, and none comes out."""

from __future__ import annotations

from typing import Any

import pytest

from headgate.core.errors import PolicyRefused
from headgate.core.messages import File, Image, Text, ToolResult, failed
from headgate.interceptors.secrets_scan import KIND
from headgate.testing.harness import live
from tests.conftest import Tree
from tests.interceptors.stage import Behind, Ear, called, opened

KEY = "AKIA" + "Z7VRSQ5TJN2XMLPO"
SHOWN = "[secret:aws]"


async def call(body: dict[str, Any], result: ToolResult | None = None, **args: Any) -> tuple[ToolResult, Behind]:
    behind = Behind(result) if result is not None else Behind()
    async with opened(KIND, body) as scan:
        return await scan.around_tool(Ear().tool(), called(**args), behind), behind


@pytest.mark.parametrize(
    "args",
    [{"text": f"key {KEY}"}, {"deep": [{"a": {"b": KEY}}]}, {KEY: 1}, {"password": "q7Xz2LmP9vKd4RtY8bWc"}],
)
async def test_arguments(args: dict[str, Any]) -> None:
    """A credential anywhere in the arguments ends the call, and the message does not repeat it."""
    with pytest.raises(PolicyRefused, match="what looks like a credential") as caught:
        await call({}, **args)
    assert caught.value.code == "secret_found"
    assert not any(secret in caught.value.message for secret in (KEY, "q7Xz"))


@pytest.mark.parametrize(
    ("result", "cleared"),
    [
        (ToolResult(structured={"k": [KEY]}), ToolResult(structured={"k": [SHOWN]})),
        (ToolResult(content=(Text(f"a {KEY} b"),)), ToolResult(content=(Text(f"a {SHOWN} b"),))),
        (
            ToolResult(content=(File("a.env", "text/plain", f"K={KEY}\n".encode() + b"\xff"),)),
            ToolResult(content=(File("a.env", "text/plain", f"K={SHOWN}\n".encode() + b"\xff"),)),
        ),
        (failed("http_status", f"401 with {KEY}"), failed("http_status", f"401 with {SHOWN}")),
    ],
)
async def test_results(result: ToolResult, cleared: ToolResult) -> None:
    """Credentials are replaced in data, text, text files and errors, and the rest stays."""
    assert (await call({}, result))[0] == cleared


async def test_a_clean_result_is_the_same_object() -> None:
    """Nothing is copied when nothing is found; pictures are not looked at."""
    clean = ToolResult(structured={"a": [1, None, True]}, content=(Image("image/png", KEY.encode()),))
    assert (await call({}, clean))[0] is clean


async def test_what_is_refused_instead() -> None:
    """With `results = "refuse"` nothing of such a result is shown."""
    with pytest.raises(PolicyRefused, match="is not shown"):
        await call({"results": "refuse"}, ToolResult(structured=KEY))


async def test_what_is_ignored() -> None:
    """Each side can be left alone."""
    result, behind = await call({"arguments": "ignore", "results": "ignore"}, ToolResult(structured=KEY), key=KEY)
    assert (result.structured, behind.calls) == (KEY, [{"key": KEY}])


async def test_allowed_ones() -> None:
    """A pattern lets credentials pass that are none, and no others."""
    other = "AKIA" + "ABCDEFGHIJKLMNOP"
    body = {"allow": ["^AKIAZ7"], "arguments": "ignore"}
    assert (await call(body, ToolResult(structured=[KEY, other])))[0].structured == [KEY, SHOWN]


async def test_only_some_kinds() -> None:
    """What is not asked for is not looked for."""
    assert (await call({"detect": ["jwt"]}, key=KEY))[1].calls == [{"key": KEY}]


async def test_what_is_too_long() -> None:
    """What is not looked through is refused, not let pass."""
    with pytest.raises(PolicyRefused, match="more than 10 characters") as caught:
        await call({"max_chars": 10}, text="a" * 11)
    assert caught.value.code == "not_judged"


async def test_in_a_gateway(tree: Tree) -> None:
    """The tool is not reached, and the model reads why."""
    script = f"- {{call: talk, args: {{topic: 'the key is {KEY}'}}}}\n- {{text: 'I read {{{{ result }}}}'}}\n"
    toml = '[interceptors.leaks]\nkind = "secrets_scan"\n'
    async with live(tree(script.replace("{{ result }}", ""), toml=toml)) as gateway:
        events = await (await gateway.session()).say("hi")
    (ended,) = [each for each in events if each["type"] == "tool_call_complete"]
    assert ended["error"]["code"] == "secret_found"
    assert not any(each["type"] == "tool_output_chunk" for each in events)
