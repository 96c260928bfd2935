"""Policies and tools of MCP servers: none of a tool's names makes a call that a policy holds or refuses."""

from __future__ import annotations

import pytest

from headgate.testing.harness import live
from tests.conftest import Tree
from tests.governance.test_bypass import steps
from tests.mcp.servers import table
from tests.server.native import Caller, settled

MCP_RULES = {
    "name": ('[approvals.gate]\ntools = ["files__echo"]\ndecide = "ask"\n', {"files__echo"}),
    "glob": ('[approvals.gate]\ntools = ["files__*"]\ndecide = "ask"\n', {"files__echo"}),
    "server": (
        '[approvals.gate]\ntools = ["*"]\ndecide = "ask"\nwhen = \'tool.server == "files"\'\n',
        {"files__echo", "say", "aloud"},
    ),
    "kind": (
        '[approvals.gate]\ntools = ["*"]\ndecide = "ask"\nwhen = \'tool.kind == "mcp"\'\n',
        {"files__echo", "say", "aloud"},
    ),
    "marks": (
        '[approvals.gate]\ntools = ["*"]\ndecide = "ask"\nwhen = "tool.destructive"\n', {"files__echo", "say"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", MCP_RULES)
async def test_a_tool_of_a_server_by_each_of_its_names(tree: Tree, name: str) -> None:
    """A rule of names is about names; one of the server, of the kind or of what a tool does holds its other names too.
    The server's own word that its tools do no harm counts for nothing; what the tree says of them does."""
    policy, expected = MCP_RULES[name]
    renamed = "kind: mcp\nserver: files\ntool: echo\n"
    files = {"tools/say.yaml": renamed, "tools/aloud.yaml": renamed + "annotations: {destructive: false}\n"}
    calls = "".join(f"  - {{call: {each}, args: {{text: x}}}}\n" for each in ("files__echo", "say", "aloud"))
    root = tree("- calls:\n" + calls, toml=table("files") + policy, files=files, tools=["files__echo", "say", "aloud"])
    async with live(root, watch=False) as gateway:
        caller = Caller(gateway)
        run = await caller.begin()
        await settled(gateway)
        waits = (await caller.ask("GET", f"/v1/waits?run={run}&state=pending"))["items"]
        done = {each["name"] for each in await steps(caller, run)}
    assert {each["tool"] for each in waits} == expected
    assert done == {"files__echo", "say", "aloud"} - expected


async def test_a_tainted_run_and_a_tool_of_a_server(tree: Tree) -> None:
    """What a server answers taints the run, and the next call of the server is held."""
    rules = (
        '[interceptors.strangers]\nkind = "taint"\nsources = ["files__echo"]\nsinks = []\n'
        '[approvals.gate]\ntools = ["*"]\ndecide = "ask"\nwhen = "tool.tainted"\n'
    )
    script = "- {call: files__echo, args: {text: x}}\n- {call: files__add, args: {a: 1, b: 2}}\n- {text: Done}\n"
    async with live(tree(script, toml=table("files") + rules, tools=["files__*"]), watch=False) as gateway:
        caller = Caller(gateway)
        run, (wait,) = await caller.waiting()
        done = [each["name"] for each in await steps(caller, run)]
    assert (done, wait["tool"]) == (["files__echo"], "files__add")
