"""MCP servers behind a running gateway: who is offered what, policies, edits, failures."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from headgate.engine.reload import BootError
from headgate.testing.harness import Events, Live, agent_md, live
from tests.conftest import Tree
from tests.mcp.servers import table
from tests.processes import alive
from tests.waiting import until


def calling(*calls: tuple[str, dict[str, Any]]) -> str:
    """A script that makes these calls, one a turn."""
    return "".join(f"- {{call: {name}, args: {json.dumps(args)}}}\n" for name, args in calls) + "- {text: done}\n"


async def results(gateway: Live, agent: str | None = None) -> list[Any]:
    """What the calls of a new session answer: results, or the codes of errors."""
    events = await (await gateway.session(agent)).say("hi")
    return completed(events)


def completed(events: Events) -> list[Any]:
    """The results of the calls, or the codes of errors."""
    ends = [each for each in events if each["type"] == "tool_call_complete"]
    return [each["error"]["code"] if each["error"] else each["result"] for each in ends]


async def server(gateway: Live, name: str = "files") -> dict[str, Any]:
    """What the status says of a server."""
    status = await gateway.get("/v1/status")
    return next(each for each in status["mcp_servers"] if each["name"] == name)


async def names(gateway: Live, agent: str) -> list[str]:
    """The tools that an agent can really call."""
    found: list[str] = (await gateway.get(f"/v1/agents/{agent}"))["tools"]
    return found


async def test_an_agent_calls_the_tools_of_a_server(tree: Tree) -> None:
    """Results come as they are, arguments are checked before, and every tool is listed with its source."""
    script = calling(("files__echo", {"text": "hello"}), ("files__add", {"a": 1, "b": 2}), ("files__add", {"a": "x"}))
    async with live(tree(script, toml=table("files"), tools=[])) as gateway:
        assert await results(gateway) == ["hello", {"sum": 3}, "invalid_arguments"]
        listed = {each["name"]: each for each in await gateway.get("/v1/tools")}
        assert (listed["files__echo"]["source"], listed["files__echo"]["server"]) == ("mcp/files", "files")
        assert (await gateway.get("/v1/tools/files__echo"))["agents"] == ["helper"]
        assert (await gateway.get("/v1/agents/helper"))["mcp_servers"] == [
            {"name": "files", "state": "ready", "required": False}
        ]


async def test_who_is_offered_what(tree: Tree) -> None:
    """A server that nobody names is for all, one that is named is for those; naming tools of one offers those alone."""
    files = {
        "agents/named.md": agent_md(model="default/auto", mcp_servers=["files"]),
        "agents/few.md": agent_md(model="default/auto", mcp_servers=["files"], tools=["files__e*"]),
    }
    toml = table("files", allow='["echo", "env", "add"]') + table("open", allow='["echo"]', prefix='"o"')
    async with live(tree(toml=toml, files=files, tools=["add"])) as gateway:
        assert await names(gateway, "helper") == ["add", "o__echo"]
        assert await names(gateway, "named") == ["files__echo", "files__add", "files__env", "o__echo"]
        assert await names(gateway, "few") == ["files__echo", "files__env", "o__echo"]


async def test_new_runs_have_the_tools_that_a_server_lists_now(tree: Tree, tmp_path: Path) -> None:
    """A tool that appears can be called by the next run, and one that disappears cannot, without a reload."""
    script = calling(("files__grow", {"name": "fresh"}), ("files__shrink", {"name": "echo"}))
    async with live(tree(script, toml=table("files"), tools=[])) as gateway:
        revision = (await gateway.get("/v1/status"))["revision"]
        await results(gateway)

        async def moved() -> bool:
            now = await names(gateway, "helper")
            return "files__fresh" in now and "files__echo" not in now

        async with asyncio.timeout(60):
            while not await moved():  # noqa: ASYNC110 -- only a request can tell
                await asyncio.sleep(0.01)
        assert (await gateway.get("/v1/status"))["revision"] == revision


async def test_an_edit_leaves_other_servers_alone(tree: Tree) -> None:
    """Only the server that an edit touches is started anew, and one that is removed ends."""
    root = tree(toml=table("files") + table("other"), tools=[])
    async with live(root, watch=False) as gateway:
        files, other = (await server(gateway))["pid"], (await server(gateway, "other"))["pid"]
        text = (root / "gateway.toml").read_text()
        gateway.edit("gateway.toml", text.replace("[mcp.servers.other]", '[mcp.servers.other]\ntimeout = "5s"'))
        assert (await gateway.reload())["status"] == "applied"
        assert (await server(gateway))["pid"] == files
        assert (await server(gateway, "other"))["pid"] != other
        await until(lambda: not alive(other))
        gateway.edit("agents/helper.md", agent_md("Now otherwise.", model="default/auto"))
        assert (await gateway.reload())["status"] == "applied"
        assert (await server(gateway))["pid"] == files
        gateway.edit("gateway.toml", text.partition("[mcp.servers.files]")[0])
        assert (await gateway.reload())["status"] == "applied"
        await until(lambda: not alive(files))


async def test_nothing_outlives_the_gateway(tree: Tree, tmp_path: Path) -> None:
    """Stopping it ends every process that it started."""
    pids = tmp_path / "pids"
    toml = table("files", "--stubborn", "--child", "--pids", str(pids))
    async with live(tree(toml=toml, tools=[])):
        started = [int(line) for line in pids.read_text().split()]
        assert len(started) == 2
    assert not any(map(alive, started))


async def test_policies_and_interceptors_stand_around_mcp_tools(tree: Tree) -> None:
    """They pass the one door: globs over full names, and conditions over server and kind."""
    toml = table("files") + (
        '[approvals.no_adding]\ntools = ["files__*"]\nwhen = \'tool.server == "files" && tool.kind == "mcp" '
        '&& tool.name == "files__add"\'\ndecide = "deny"\n'
        '[interceptors.slow]\nkind = "rate_limit"\ntools = ["files__echo"]\nlimit = "1/h"\n'
    )
    script = calling(("files__add", {"a": 1, "b": 2}), ("files__echo", {"text": "x"}), ("files__echo", {"text": "x"}))
    async with live(tree(script, toml=toml, tools=[])) as gateway:
        assert await results(gateway) == ["policy_denied", "x", "rate_limited"]


@pytest.mark.parametrize(("trusted", "marks"), [("true", (True, False)), ("false", (False, True))])
async def test_hints_count_only_of_trusted_servers(tree: Tree, trusted: str, marks: tuple[bool, bool]) -> None:
    """What a server says of its tools is believed only where the manifest says so."""
    async with live(tree(toml=table("files", trusted=trusted), tools=[])) as gateway:
        told = (await gateway.get("/v1/tools/files__echo"))["annotations"]
        assert (told["read_only"], told["destructive"]) == marks


async def test_a_tool_of_a_file_stands_before_that_of_a_server(tree: Tree) -> None:
    """The file wins, with a warning that names both."""
    toml = table("bare", prefix='""', allow='["add", "echo"]')
    async with live(tree(calling(("add", {"a": 1, "b": 2})), toml=toml, tools=["add"])) as gateway:
        assert (await gateway.get("/v1/tools/add"))["source"] == "tools/add.yaml"
        found = (await gateway.get("/v1/admin/diagnostics"))["diagnostics"]
        assert [each["message"] for each in found if each["code"] == "HG1203"] == [
            "tools/add.yaml stands in for the tool 'add' of MCP server 'bare'"
        ]


async def test_two_servers_with_a_tool_of_one_name(tree: Tree) -> None:
    """It is an error when the gateway starts, and when an edit brings it."""
    one = table("one", prefix='""', allow='["echo"]')
    two = table("two", prefix='""', allow='["echo", "env"]')
    root = tree(toml=one + two, tools=[])
    with pytest.raises(BootError, match="MCP servers 'one' and 'two' both have a tool 'echo'"):
        async with live(root, watch=False):
            pass
    text = (root / "gateway.toml").read_text()
    (root / "gateway.toml").write_text(text.replace(two, ""))
    async with live(root, watch=False) as gateway:
        gateway.edit("gateway.toml", text)
        assert (await gateway.reload())["status"] == 422
        assert (await server(gateway, "one"))["state"] == "ready"


async def test_a_server_that_is_not_there(tree: Tree) -> None:
    """Where the failure is open, agents run without it; where it is closed, their runs are refused; others go on."""
    gone = '[mcp.servers.gone]\ncommand = "no-such-program"\nfailure = "closed"\n'
    files = {"agents/other.md": agent_md(model="default/auto"), "agents/helper.md": agent_md(mcp_servers=["gone"])}
    root = tree("- {text: fine}\n", toml=gone, files=files)
    async with live(root, watch=False) as gateway:
        assert (await server(gateway, "gone"))["error"]["code"] == "connection_error"
        body = {"message": "hi"}
        answer = await gateway.http.post("/v1/agents/helper/invoke", json=body, headers=dict(gateway.headers))
        assert answer.status_code == 503
        assert answer.json()["error"]["code"] == "mcp_server_down"
        assert "no-such-program" in answer.json()["error"]["message"]
        answer = await gateway.http.post("/v1/agents/other/invoke", json=body, headers=dict(gateway.headers))
        assert answer.json()["result"]["raw_text"] == "fine"
        gateway.edit("gateway.toml", (root / "gateway.toml").read_text().replace("closed", "open"))
        await gateway.reload()
        answer = await gateway.http.post("/v1/agents/helper/invoke", json=body, headers=dict(gateway.headers))
        assert answer.json()["result"]["raw_text"] == "fine"


async def test_an_edit_that_brings_a_server_that_does_not_come(tree: Tree) -> None:
    """With `warm = "abort"` it is rejected, and nothing of it is left."""
    root = tree(toml=table("files"), tools=[])
    text = (root / "gateway.toml").read_text().replace("[reload]", '[reload]\nwarm = "abort"')
    (root / "gateway.toml").write_text(text)
    silent = table("late", "--silent", connection_timeout='"300ms"')
    async with live(root, watch=False) as gateway:
        gateway.edit("gateway.toml", text + silent)
        answer = await gateway.reload()
        assert answer["status"] == 422
        assert "MCP server 'late' is not ready: timeout" in json.dumps(answer)
        gateway.edit("gateway.toml", (text + silent).replace('"abort"', '"proceed"'))
        assert (await gateway.reload())["status"] == "applied"
        assert (await server(gateway, "late"))["tools"] == 0


async def test_a_tool_of_kind_mcp(tree: Tree) -> None:
    """One tool of a server under another name, with an argument that the model neither sees nor sets."""
    files = {
        "tools/plus_one.yaml": (
            "kind: mcp\nserver: files\ntool: add\npreset: {b: 1}\nreplace: true\noutput: sum\n"
            "annotations: {read_only: true}\n"
        )
    }
    script = calling(("plus_one", {"a": 41}), ("plus_one", {"a": 1, "b": 5}), ("files__add", {"a": 1, "b": 2}))
    async with live(tree(script, toml=table("files"), files=files, tools=["plus_one"])) as gateway:
        assert await results(gateway) == [42, "invalid_arguments", "unknown_tool"]
        told = await gateway.get("/v1/tools/plus_one")
        assert (told["description"], told["source"]) == ("Adds two numbers.", "tools/plus_one.yaml")
        assert list(told["input_schema"]["properties"]) == ["a"]
        assert told["annotations"]["read_only"] is True


async def test_a_stopped_server_has_no_other_name(tree: Tree) -> None:
    """A kill switch of a server stops its tools by every name that they have, and no others."""
    files = {"tools/plus_one.yaml": "kind: mcp\nserver: files\ntool: add\npreset: {b: 1}\noutput: sum\n"}
    switch = '[kill_switches.leak]\nserver = "files"\nreason = "It leaks."\n'
    toml = table("files") + table("open", prefix='"filesx"') + switch
    script = calling(("plus_one", {"a": 41}), ("files__echo", {"text": "x"}), ("add", {"a": 1, "b": 2}))
    async with live(tree(script, toml=toml, files=files, tools=["*"])) as gateway:
        assert await results(gateway) == ["withdrawn", "withdrawn", {"sum": 3}]
        body = {"kind": "server", "target": "filse", "reason": "x"}
        answer = await gateway.http.post("/v1/admin/kill-switches", json=body, headers=dict(gateway.headers))
        assert (answer.status_code, "did you mean 'files'?" in answer.text) == (422, True)


async def test_conditions_about_a_listed_tool(tree: Tree) -> None:
    """They are checked against what the server lists, and the edit is live: the server may list another tomorrow."""
    rules = '[approvals.sums]\ntools = ["files__add"]\nwhen = "args.amount > 3"\ndecide = "ask"\n'
    async with live(tree(toml=table("files") + rules, tools=[])) as gateway:
        assert [str(each) for each in gateway.gateway.snapshot.warnings if each.code == "HG1306"] == [
            "gateway.toml:19:14: warning[HG1306] 'when': there is no 'args.amount'; args has a, b"
        ]


async def test_imported_servers(tree: Tree, tmp_path: Path) -> None:
    """Servers of another program's settings are taken by name, with the variables that they refer to."""
    settings = tmp_path / "claude.json"
    command, args = table("x").splitlines()[1:3]
    entry = {"command": command.split("'")[1], "args": args.split("'")[1::2], "env": {"TOKEN": "${MY_TOKEN}"}}
    settings.write_text(json.dumps({"mcpServers": {"files": entry, "unwanted": {"command": "no-such-program"}}}))
    toml = f'[mcp]\nimport = [{{path = "{settings}", servers = ["files"]}}]\n'
    root = tree(calling(("files__env", {})), toml=toml, tools=[])
    async with live(root, environ={"MY_TOKEN": "a-token-of-mine"}, watch=False) as gateway:
        (said,) = await results(gateway)
        assert "TOKEN" in said.split()
        assert [each["name"] for each in (await gateway.get("/v1/status"))["mcp_servers"]] == ["files"]
        before = (await server(gateway))["tools"]
        entry["args"] = [*entry["args"], "--tools", "3"]
        settings.write_text(json.dumps({"mcpServers": {"files": entry}}))
        assert (await gateway.reload())["status"] == "applied"
        assert (await server(gateway))["tools"] == before + 3
