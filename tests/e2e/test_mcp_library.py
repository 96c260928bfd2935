"""Resources and prompts of MCP servers behind a running gateway."""

from __future__ import annotations

from typing import Any

import pytest

from headgate.testing.harness import agent_md, live
from tests.conftest import Tree
from tests.e2e.test_mcp import calling, names, results
from tests.mcp.servers import table
from tests.server.native import OTHER, Caller

ERAS = pytest.mark.parametrize("era", ["legacy", "modern"])


def memo(era: str = "modern", **keys: str) -> str:
    """The server."""
    return table("memo", "--era", era, **{"allow": '["echo"]', "resources": "true", **keys})


@ERAS
async def test_agents_read_resources(tree: Tree, era: str) -> None:
    """What there is is listed, also by a query, and what is read comes whole."""
    script = calling(
        ("memo__list_resources", {}), ("memo__list_resources", {"query": "NOTES"}),
        ("memo__read_resource", {"uri": "memo://notes"}), ("memo__read_resource", {"uri": "memo://both"}),
        ("memo__read_resource", {"uri": "memo://gone"}), ("memo__read_resource", {}),
        ("memo__read_resource", {"uri": "memo://none"}),
    )  # fmt: skip
    async with live(tree(script, toml=memo(era), tools=[]), watch=False) as gateway:
        assert await names(gateway, "helper") == ["memo__echo", "memo__list_resources", "memo__read_resource"]
        everything, one, notes, both, gone, wrong, none = await results(gateway)
    assert [each["uri"] for each in everything["resources"]] == [
        "memo://notes",
        *(f"memo://more/{n}" for n in range(4)),
    ]
    assert everything["templates"] == [{"uri_template": "memo://{name}", "name": "any memo"}]
    assert one == {
        "resources": [{"uri": "memo://notes", "name": "notes", "description": "What there is.",
                       "mime_type": "text/plain", "size": 6}],
        "templates": [],
    }  # fmt: skip
    assert notes == "[resource memo://notes]\ninside"
    assert both == ("[resource memo://both/a]\nfirst\n[resource memo://both/b.bin: application/octet-stream, 3 bytes]")
    assert (gone, wrong, none) == ("tool_error", "invalid_arguments", "[the resource is empty]")


async def test_a_file_of_a_resource_reaches_the_client(tree: Tree) -> None:
    """The native events have the bytes, with name and type."""
    script = calling(("memo__read_resource", {"uri": "memo://both"}))
    async with live(tree(script, toml=memo(), tools=[]), watch=False) as gateway:
        told = await Caller(gateway).told(await Caller(gateway).begin())
    (result,) = (each.data["result"] for each in told if each.event == "tool.completed")
    assert result["content"][-1] == {
        "type": "file", "name": "b.bin", "media_type": "application/octet-stream", "data": "AAEC",
    }  # fmt: skip


async def test_resources_are_governed(tree: Tree) -> None:
    """Policies, interceptors and `deny` cover reading by its name, and it is read-only for conditions."""
    policy = '[approvals.gate]\ntools = ["memo__*"]\nwhen = "!tool.read_only"\ndecide = "deny"\n'
    policy += '[approvals.reading]\ntools = ["memo__read_resource"]\nwhen = \'args.uri == "memo://both"\'\n'
    policy += 'decide = "deny"\n'
    script = calling(
        ("memo__read_resource", {"uri": "memo://notes"}), ("memo__read_resource", {"uri": "memo://both"}),
        ("memo__echo", {"text": "x"}),
    )  # fmt: skip
    async with live(tree(script, toml=memo() + policy, tools=[]), watch=False) as gateway:
        assert await results(gateway) == ["[resource memo://notes]\ninside", "policy_denied", "policy_denied"]
    denied = memo(deny='["read_resource"]')
    async with live(tree(toml=denied, tools=[]), watch=False) as gateway:
        assert await names(gateway, "helper") == ["memo__echo", "memo__list_resources"]


async def test_reading_taints(tree: Tree) -> None:
    """What is read from a server is no more to be trusted than what its tools say."""
    taint = '[interceptors.taint]\nkind = "taint"\nsources = ["memo__*"]\nsinks = ["add"]\n'
    script = calling(("memo__read_resource", {"uri": "memo://notes"}), ("add", {"a": 1, "b": 2}))
    async with live(tree(script, toml=memo() + taint, tools=["add"]), watch=False) as gateway:
        assert (await results(gateway))[1] == "tainted"


@pytest.mark.parametrize("keys", [{"resources": "false"}, {}])
async def test_resources_that_are_not_declared(tree: Tree, keys: dict[str, str]) -> None:
    """Without `resources = true` nobody is offered them."""
    toml = table("memo", allow='["echo"]', **keys)
    async with live(tree(toml=toml, tools=[]), watch=False) as gateway:
        assert await names(gateway, "helper") == ["memo__echo"]


async def test_an_agent_that_names_them(tree: Tree) -> None:
    """The tools can be named like others, and are checked: a server without `resources` has none."""
    files = {"agents/reader.md": agent_md(model="default/auto", mcp_servers=["memo"], tools=["memo__read_resource"])}
    async with live(tree(toml=memo(), tools=[], files=files), watch=False) as gateway:
        assert await names(gateway, "reader") == ["memo__read_resource"]
        gateway.edit("gateway.toml", (gateway.root / "gateway.toml").read_text().replace("resources = true", ""))
        done = await gateway.reload()
    assert "does not offer 'read_resource'" in str(done)


@ERAS
async def test_prompts(tree: Tree, era: str) -> None:
    """They are listed with their arguments, and filled in, without hidden characters."""
    async with live(tree(toml=memo(era), tools=[]), watch=False) as gateway:
        caller = Caller(gateway)
        listed = await caller.ask("GET", "/v1/mcp/memo/prompts")
        path = "/v1/mcp/memo/prompts/greeting"
        filled = await caller.ask("POST", path, {"arguments": {"who": "Ada"}})
        assert await caller.code("POST", path, {"arguments": {"who": 7}}) == (422, "invalid_request")
        assert await caller.code("POST", path, {}) == (422, "tool_error")
        assert await caller.code("POST", "/v1/mcp/nobody/prompts/greeting", {}) == (404, "mcp_server_not_found")
    about: list[Any] = [{"name": "who", "description": "Whom to greet.", "required": True}]
    assert listed == [{"name": "greeting", "title": "", "description": "Greets.", "arguments": about}]
    parts = [{"type": "text", "text": "Greet Ada."}]
    assert filled == {
        "description": "Greets.", "messages": [{"role": "user", "content": "Greet Ada.", "parts": parts}],
    }  # fmt: skip


@ERAS
async def test_a_look_at_resources(tree: Tree, era: str) -> None:
    """What there is can be listed, whether or not agents may read it."""
    async with live(tree(toml=memo(era, resources="false"), tools=[]), watch=False) as gateway:
        found = await Caller(gateway).ask("GET", "/v1/mcp/memo/resources")
    assert len(found["resources"]) == 5
    assert found["templates"] == [{"uri_template": "memo://{name}", "name": "any memo"}]


async def test_servers_of_others(tree: Tree) -> None:
    """A server of agents that a key may not see does not exist for it, and one that is stopped is stopped."""
    keys = f'[auth.keys.other]\nkey = "{OTHER}"\nagents = ["bare"]\n'
    files = {
        "agents/bare.md": agent_md(model="default/auto"),
        "agents/reader.md": agent_md(model="default/auto", mcp_servers=["memo"]),
    }
    async with live(tree(toml=memo() + keys, tools=[], files=files), watch=False) as gateway:
        other = Caller(gateway, OTHER)
        assert await other.code("GET", "/v1/mcp/memo/prompts") == (404, "mcp_server_not_found")
        await Caller(gateway).ask(
            "POST", "/v1/admin/kill-switches", {"kind": "server", "target": "memo", "reason": "test"}, 201
        )
        assert await Caller(gateway).code("GET", "/v1/mcp/memo/prompts") == (403, "killed")
