"""Servers that do what no server should: the gateway stays well, says what is wrong, and waits for nothing for long."""

from __future__ import annotations

import json
import sys
from typing import Any

import pytest
import structlog

from headgate.core.messages import File, Image, Text
from headgate.mcp.spec import Mcp, ServerSpec
from headgate.testing.tool_kit import Listener, site
from headgate.tools.mcp import served
from tests.mcp.guarded import Guarded
from tests.mcp.servers import local, opened, ready, refused, remote, said
from tests.waiting import until

BASE = """
import json, sys, time
def send(message):
    sys.stdout.write(json.dumps({"jsonrpc": "2.0", **message}) + "\\n"); sys.stdout.flush()
def answer(said, **result):
    send({"id": said["id"], "result": result})
def fail(said):
    send({"id": said["id"], "error": {"code": -32601, "message": "Method not found"}})
def hello(said):
    answer(said, protocolVersion="2025-11-25", capabilities={"tools": {"listChanged": True}},
           serverInfo={"name": "odd", "version": "1"})
def tool(name):
    return {"name": name, "description": "It.", "inputSchema": {"type": "object"}}
def tools(said):
    answer(said, tools=[tool("odd")])
def call(said):
    answer(said, content=[{"type": "text", "text": "fine"}])
def other(said):
    fail(said)
BODY
known = {"initialize": hello, "tools/list": tools, "tools/call": call}
for line in sys.stdin:
    said = json.loads(line)
    if "id" in said and "method" in said:
        known.get(said["method"], other)(said)
"""
"""A server of 2025-11-25 with one tool; the code in the place of BODY makes it odd."""


def odd(body: str, **keys: Any) -> ServerSpec:
    """The server that this code makes."""
    code = BASE.replace("BODY", body)
    return Mcp().effective(ServerSpec.model_validate({"command": sys.executable, "args": ["-c", code], **keys}))


async def test_a_cursor_that_leads_in_a_circle() -> None:
    """A cursor that came before ends the list, and what was listed is offered."""
    body = """
def tools(said):
    at = (said.get("params") or {}).get("cursor") or "a"
    answer(said, tools=[tool(at)], nextCursor={"a": "b", "b": "c", "c": "b"}[at])
"""
    async with ready(odd(body)) as upstream:
        assert sorted(upstream.listing.tools) == ["a", "b", "c"]
        assert upstream.health.problems == ()


async def test_a_list_without_an_end() -> None:
    """Always another cursor: so many pages are read, the status says so, and the tools are offered."""
    body = """
def tools(said):
    at = int((said.get("params") or {}).get("cursor") or 0)
    answer(said, tools=[tool(f"t{at}")], nextCursor=str(at + 1))
"""
    async with ready(odd(body)) as upstream:
        assert len(upstream.listing.tools) == 200
        assert upstream.health.problems == ("its list of tools does not end: the first 200 pages count",)
        assert await said(upstream, "t7") == "fine"


async def test_ten_thousand_tools() -> None:
    """A thousand are offered; that there are more is told."""
    async with ready(local("--tools", "10000", "--pages", "500")) as upstream:
        assert len(upstream.listing.tools) == 1000
        assert upstream.health.problems == ("only the first 1000 tools are offered",)


async def test_names_that_are_given_twice() -> None:
    """Neither is offered, since nobody could tell which one is meant."""
    body = """
def tools(said):
    answer(said, tools=[tool("same"), tool("own"), tool("same")])
"""
    async with ready(odd(body)) as upstream:
        assert list(upstream.listing.tools) == ["own"]
        assert upstream.health.problems == ("tool 'same' is listed twice, so neither is offered",)


@pytest.mark.parametrize(
    ("body", "code", "words"),
    [
        ("def hello(said):\n    pass", "timeout", "did not answer within"),
        ("def hello(said):\n    sys.stdout.write('{\"jsonrpc\": \"2.0\", \"id\"'); sys.exit(4)", "connection_error",
         "the program ended with exit code 4"),
        ("def hello(said):\n    print('garbage', flush=True)", "timeout", "did not answer within"),
        ("def hello(said):\n    answer(said, protocolVersion='1999-01-01', capabilities={}, serverInfo={})",
         "connection_error", ""),
        ("def hello(said):\n    answer(said, nonsense=True)", "connection_error", ""),
        ("def tools(said):\n    answer(said, tools=7)", "connection_error", ""),
        ("def tools(said):\n    fail(said)", "connection_error", ""),
        ("print('x' * (17 << 20), flush=True); time.sleep(60)", "connection_error", "more than 16 MiB"),
    ],
    ids=["mute", "half", "garbage", "version", "empty", "no list", "no tools", "endless line"],
)  # fmt: skip
async def test_servers_that_never_become_ready(body: str, code: str, words: str) -> None:
    """Each has its reason, within its time."""
    patience = 20.0 if "MiB" in words else 1.0
    async with opened(odd(body, connection_timeout=patience)) as upstream:
        fault = await upstream.warm(30)
        assert fault is not None
        assert (fault.code, upstream.health.state) == (code, "down")
        assert words in fault.message
        assert fault.message


async def test_garbage_between_messages() -> None:
    """Lines that are no messages are logged and passed over."""
    body = """
print("Welcome to the odd server!")
def call(said):
    sys.stdout.buffer.write(b"\\xff\\xfe{\\n[]\\nnull\\n{}\\n" + b'{"jsonrpc": "2.0", "id": 999, "result": {}}\\n')
    answer(said, content=[{"type": "text", "text": "fine"}])
"""
    with structlog.testing.capture_logs() as logged:
        async with ready(odd(body)) as upstream:
            assert await said(upstream, "odd") == "fine"
    assert any("not a message: Welcome" in each.get("line", "") for each in logged)


async def test_a_flood_on_standard_error() -> None:
    """It holds up neither the server nor the gateway."""
    body = """
def call(said):
    for n in range(20000):
        sys.stderr.write(f"{n} " + "noise " * 40 + "\\n")
    answer(said, content=[{"type": "text", "text": "fine"}])
"""
    with structlog.testing.capture_logs() as logged:
        async with ready(odd(body)) as upstream:
            assert await said(upstream, "odd") == "fine"
    assert len([each for each in logged if each["event"] == "mcp.stderr"]) < 1000


async def test_a_connection_that_breaks_off_in_a_message() -> None:
    """The call says why, and the next one has another process."""
    body = """
def call(said):
    sys.stdout.write('{"jsonrpc": "2.0", "id": %s, "resu' % said["id"]); sys.stdout.flush()
    sys.exit("half way")
"""
    async with ready(odd(body)) as upstream:
        error = await refused(upstream, "odd")
        assert error.code == "connection_error"
        assert "the program ended with exit code 1; its last words: half way" in error.message
        await until(lambda: upstream.health.restarts == 1)


KINDS = [
    {"type": "text", "text": "words"},
    {"type": "image", "data": "iVBORw0KGgo=", "mimeType": "image/png"},
    {"type": "audio", "data": "UklGRg==", "mimeType": "audio/wav"},
    {"type": "resource_link", "uri": "file:///a.txt", "name": "a.txt", "description": "A file."},
    {"type": "resource", "resource": {"uri": "memo://a", "mimeType": "text/markdown", "text": "# Inside"}},
    {"type": "resource", "resource": {"uri": "memo://b", "mimeType": "application/zip", "blob": "UEsDBA=="}},
]


async def test_every_kind_of_content() -> None:
    """Texts, images and files arrive as they are."""
    body = (
        f"CONTENT = json.loads({json.dumps(json.dumps(KINDS))})\ndef call(said):\n    answer(said, content=CONTENT)\n"
    )
    async with ready(odd(body)) as upstream:
        (tool,) = served(upstream)
        result = await tool.call({}, Listener().context())
    assert result.status == "ok"
    texts = [each.text for each in result.content if isinstance(each, Text)]
    assert [each.media_type for each in result.content if isinstance(each, Image)] == ["image/png"]
    shown = "\n".join(texts)
    for words in ("words", "# Inside", "a.txt"):
        assert words in shown
    files = [each for each in result.content if isinstance(each, File)]
    assert [(each.name, each.media_type) for each in files] == [("audio", "audio/wav"), ("resource", "application/zip")]


@pytest.mark.parametrize(
    "result",
    [{"content": 7}, {"content": [{"type": "riddle"}]}, {"content": [{"type": "image", "data": "a", "mimeType": 5}]},
     {"content": [{"type": "image", "data": "no base64!", "mimeType": "image/png"}]}],
)  # fmt: skip
async def test_results_that_are_none(result: dict[str, Any]) -> None:
    """They fail the call with that reason; the connection stays."""
    body = f"RESULT = json.loads({json.dumps(json.dumps(result))})\ndef call(said):\n    answer(said, **RESULT)\n"
    async with ready(odd(body)) as upstream:
        assert (await refused(upstream, "odd")).code == "invalid_result"
        assert upstream.health.restarts == 0


async def test_a_list_that_changes_during_a_call() -> None:
    """The call goes on and is answered; the new list counts."""
    body = """
names = ["odd"]
def tools(said):
    answer(said, tools=[tool(each) for each in names])
def call(said):
    names[:] = ["another"]
    for _ in range(50):
        send({"method": "notifications/tools/list_changed"})
    time.sleep(0.2)
    answer(said, content=[{"type": "text", "text": "fine"}])
"""
    async with ready(odd(body)) as upstream:
        assert await said(upstream, "odd") == "fine"
        await until(lambda: list(upstream.listing.tools) == ["another"])


async def test_a_redirect_to_an_address_that_is_not_allowed() -> None:
    """It is not followed, whether it leads to a private address or to one of the cloud's own."""
    for target in ("http://127.0.0.2:9/mcp", "http://169.254.169.254/latest/meta-data", "http://localhost:9/"):
        house = Guarded(good={""}, redirect=target)
        async with site({"/mcp": house.answer}) as url, opened(remote(f"{url}/mcp")) as upstream:
            fault = await upstream.warm(10)
            assert fault is not None
            assert f"Redirect to {target} not followed" in fault.message
