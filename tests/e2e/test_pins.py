"""Pins behind a running gateway: first approval, what changes later, approval by a person, restarts."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from headgate.core.errors import ToolError
from headgate.mcp.asking import Asking
from headgate.testing.harness import Live, agent_md, live
from tests.conftest import Tree
from tests.e2e.test_mcp import calling, names, results
from tests.mcp.servers import table
from tests.waiting import until


async def pins(gateway: Live) -> dict[str, Any]:
    """What is said of the server `files`."""
    found: dict[str, Any] = await gateway.get("/v1/admin/pins/files")
    return found


async def approved(gateway: Live) -> dict[str, Any]:
    """The same, when the first listing has been approved."""
    await until(lambda: "files" in gateway.gateway.snapshot.gateway.mcp.pins)
    return await pins(gateway)


async def approve(gateway: Live, digest: str, status: int = 200) -> dict[str, Any]:
    """Approves the set of this digest."""
    answer = await gateway.http.post(
        "/v1/admin/pins/files/approve", json={"digest": digest}, headers=dict(gateway.headers)
    )
    assert answer.status_code == status, answer.text
    found: dict[str, Any] = answer.json()
    return found


def states(view: dict[str, Any]) -> dict[str, tuple[str, bool]]:
    """The tools that are not as approved."""
    return {each["tool"]: (each["state"], each["offered"]) for each in view["tools"] if each["state"] != "approved"}


def changing(tree: Tree, mode: str) -> Path:
    """A tree whose agent has the server give `echo` another definition, and add a tool."""
    script = calling(("files__grow", {"name": "echo"}), ("files__grow", {"name": "fresh"}))
    files = {"agents/other.md": agent_md(model="default/auto")}
    return tree(script, toml=table("files", pin=f'"{mode}"'), tools=[], files=files)


async def test_a_changed_tool_is_held_until_it_is_approved(tree: Tree) -> None:
    """With `block` it is withdrawn from every agent at once; approving the set that was looked at gives it back."""
    async with live(changing(tree, "block")) as gateway:
        first = await approved(gateway)
        assert (first["held"], first["source"], first["approved_by"]) == (0, "api", "gateway")
        await results(gateway)
        await until(lambda: "files__fresh" not in gateway.gateway.snapshot.tools)
        await until(lambda: "files__echo" not in gateway.gateway.snapshot.tools)
        held = await pins(gateway)
        assert states(held) == {"echo": ("changed", False), "fresh": ("new", False)}
        assert "files__echo" not in await names(gateway, "other")
        (diff,) = [each["diff"] for each in held["tools"] if each["tool"] == "echo"]
        assert '-  "description": "Says a text back.",' in diff
        assert '+  "description": "A new one.",' in diff
        assert (await approve(gateway, first["digest"], 409))["error"]["code"] == "listing_changed"
        after = await approve(gateway, held["digest"])
        assert (states(after), after["approved_by"]) == ({}, "tester")
        assert {"files__echo", "files__fresh"} <= set(await names(gateway, "other"))
        entries = (await gateway.get("/v1/audit"))["items"]
        told = {(each["kind"], each["key"]) for each in entries if each["kind"].startswith("pins.")}
        assert told == {("pins.approved", "tester"), ("pins.first", ""), ("pins.held", "")}
        conditions = gateway.gateway.edge.reloader.status.conditions
        await until(lambda: conditions["ToolsApproved"].status)


async def test_a_call_of_a_held_tool_is_refused(tree: Tree) -> None:
    """A run that had the tool before it changed cannot call it any more; new runs do not have it."""
    script = calling(("files__grow", {"name": "echo"}), ("files__echo", {"text": "x"}))
    async with live(tree(script, toml=table("files", pin='"block"'), tools=[])) as gateway:
        await approved(gateway)
        await results(gateway)
        await until(lambda: "files__echo" not in gateway.gateway.snapshot.tools)
        assert (await results(gateway))[-1] == "unknown_tool"
        upstream: Any = gateway.gateway.snapshot.servers["files"]
        with pytest.raises(ToolError, match="'echo' of MCP server files is held"):
            await upstream.call("echo", {"text": "x"}, Asking(asyncio.get_running_loop().time() + 5))


async def test_warn_only_says_so(tree: Tree) -> None:
    """The tool is offered as it is now, and the findings and the pins tell that nobody approved it."""
    async with live(changing(tree, "warn")) as gateway:
        await approved(gateway)
        await results(gateway)
        await until(lambda: "files__fresh" in gateway.gateway.snapshot.tools)
        held = await pins(gateway)
        assert states(held) == {"echo": ("changed", True), "fresh": ("new", True)}
        assert {"files__echo", "files__fresh"} <= set(await names(gateway, "other"))
        findings = (await gateway.get("/v1/admin/diagnostics"))["diagnostics"]
        assert {each["code"] for each in findings} >= {"HG1208"}
        status: Any = gateway.gateway.edge.reloader.status
        await until(lambda: status.conditions["ToolsApproved"].reason == "NotApproved")
        assert status.conditions["ToolsApproved"].message == "tools that are not as approved: 2 of files"


async def test_approvals_outlive_a_restart(tree: Tree, tmp_path: Path) -> None:
    """A server that changes while the gateway is down is not seen for the first time when it is up again."""
    more = tmp_path / "more"
    more.write_text("")
    root = tree(toml=table("files", "--list", str(more), pin='"block"'), tools=[])
    async with live(root) as gateway:
        await approved(gateway)
    more.write_text("sneaky\n")
    async with live(root) as gateway:
        await until(lambda: gateway.gateway.snapshot.servers["files"].health.state == "ready")
        held = await pins(gateway)
        assert states(held) == {"sneaky": ("new", False)}
        assert "files__sneaky" not in await names(gateway, "helper")


async def test_the_tree_may_keep_the_approvals(tree: Tree) -> None:
    """What stands under `[mcp.pins]` counts, and the API does not write over it."""
    toml = table("files", pin='"block"') + "[mcp.pins.files]\ntools = {}\n"
    async with live(tree(toml=toml, tools=[])) as gateway:
        await until(lambda: gateway.gateway.snapshot.servers["files"].health.state == "ready")
        held = await pins(gateway)
        assert {each["state"] for each in held["tools"]} == {"new"}
        assert held["source"] == "tree"
        assert (await approve(gateway, held["digest"], 409))["error"]["code"] == "declared_in_tree"


@pytest.mark.parametrize("path", ["/v1/admin/pins", "/v1/admin/pins/files"])
async def test_servers_without_pins_are_not_there(tree: Tree, path: str) -> None:
    """`off` compares nothing."""
    async with live(tree(toml=table("files"), tools=[])) as gateway:
        if path.endswith("files"):
            assert (await gateway.get(path, 404))["error"]["code"] == "server_not_found"
        else:
            assert await gateway.get(path) == {"items": []}
