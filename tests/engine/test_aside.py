"""Documents of the API that do not fit the tree any more: set aside, or the edit is rejected, with how to mend it."""

from __future__ import annotations

from typing import Any

from headgate.compile.keyring import compile_tree
from headgate.kinds import DEFAULT_KINDS
from headgate.testing.harness import Live, agent_md, live
from tests.conftest import Tree
from tests.server.mcp_servers import ITEMS, PATH, alive, boss_of, health, pid_of, program
from tests.server.native import Caller

AGENT = agent_md(model="default/auto", mcp_servers=["fs"], tools=["fs__echo"])
SOLO = {"agents/named.md": AGENT}
NAMED = '[mcp]\nfrom_api = ["fs"]\n'
STRICT = '[mcp.policy]\ncommands = ["uvx"]\n'
OTHER = {"agents/other.md": agent_md(model="default/auto")}


async def condition(boss: Caller, kind: str) -> dict[str, Any]:
    """A condition of the status, with the status itself."""
    status = await boss.ask("GET", "/v1/status")
    found = next((each for each in status["conditions"] if each["type"] == kind), {})
    return {**found, "overall": status["status"]}


def edited(gateway: Live, *, add: str = "", without: str = "\0") -> None:
    """Another gateway.toml."""
    text = (gateway.root / "gateway.toml").read_text().replace(without, "")
    gateway.edit("gateway.toml", text + add)


async def test_a_policy_that_becomes_stricter(tree: Tree) -> None:
    """It counts at once: a server that it does not allow is set aside, its program ends, and it is told how to mend
    that; a looser policy brings it back."""
    async with live(tree(), watch=False) as gateway:
        boss = boss_of(gateway)
        made = await boss.ask("POST", PATH, program(env={"TOKEN": "a-secret-of-the-program"}))
        await boss.ask("POST", PATH, program("off", enabled=False))
        pid = await pid_of(boss)
        edited(gateway, add=STRICT)
        done = await gateway.reload()
        assert done["status"] == "applied"
        (warning,) = [each for each in done["diagnostics"] if each["path"] == "overlay:mcp.servers.fs"]
        assert (warning["severity"], warning["code"]) == ("warning", "HG1206")
        assert "[mcp.policy] does not let servers run" in warning["message"]
        assert f"DELETE {PATH}/fs" in warning["hint"]
        assert not alive(pid)
        assert await health(boss) is None
        told = await condition(boss, "DocumentsFit")
        assert (told["status"], told["reason"], told["overall"]) == ("False", "SetAside", "degraded")
        found = await boss.ask("GET", f"{PATH}/{made['id']}")
        assert found == {**made, "connected": False, "tool_count": 0}
        assert [each["name"] for each in await boss.ask("GET", PATH)] == ["fs", "off"]
        assert (await boss.ask("POST", f"{PATH}/fs/test"))["error_code"] == "config_error"
        assert await boss.ask("GET", f"{PATH}/fs/tools") == []
        assert await boss.code("POST", f"{PATH}/fs/refresh") == (409, "mcp_server_set_aside")
        assert await boss.code("POST", PATH, program("more")) == (422, "invalid_document")
        assert await boss.code("POST", PATH, program()) == (409, "mcp_server_exists")
        assert await boss.code("PUT", f"{PATH}/fs", {"enabled": True}) == (422, "invalid_document")
        # others can be changed meanwhile
        assert (await boss.ask("PUT", f"{PATH}/off", {"args": ["x"]}))["args"] == ["x"]
        edited(gateway, without=STRICT)
        assert (await gateway.reload())["status"] == "applied"
        assert (await health(boss) or {})["state"] == "ready"
        assert (await condition(boss, "DocumentsFit"))["reason"] == "AllFit"
        edited(gateway, add=STRICT)
        await gateway.reload()
        assert await boss.ask("DELETE", f"{PATH}/fs") == {"deleted": True}
        for method, path, body in ITEMS:
            assert await boss.code(method, f"{PATH}/fs{path}", body) == (404, "mcp_server_not_found")
        assert (await condition(boss, "DocumentsFit"))["overall"] == "ok"


async def test_a_server_that_the_tree_imports_later(tree: Tree) -> None:
    """The tree's counts, as for servers that it declares."""
    async with live(tree(), watch=False) as gateway:
        boss = boss_of(gateway)
        await boss.ask("POST", PATH, program())
        gateway.edit("claude.json", '{"mcpServers": {"fs": {"command": "true"}}}')
        edited(gateway, add='[mcp]\nimport = [{path = "claude.json", servers = ["fs"]}]\n')
        assert (await gateway.reload())["status"] == "applied"
        assert (await condition(boss, "DocumentsFit"))["reason"] == "SetAside"
        assert await boss.code("PUT", f"{PATH}/fs", {"enabled": False}) == (409, "declared_in_tree")


async def test_an_edit_that_would_cut_off_a_key(tree: Tree) -> None:
    """It is rejected, and the finding says what the API made and how to take it back; at a start, where nobody could,
    the key is set aside."""
    root = tree(files=OTHER)
    async with live(root, watch=False) as gateway:
        boss = boss_of(gateway)
        await boss.ask("POST", "/v1/admin/keys", {"name": "ci", "agents": ["other"]}, 201)
        (root / "agents/other.md").unlink()
        answer = await boss.send("POST", "/v1/admin/reload")
        (found,) = [each for each in answer.json()["diagnostics"] if each["severity"] == "error"]
        assert (answer.status_code, found["path"]) == (422, "overlay:auth.keys.ci")
        assert "headgate keys revoke ci" in found["hint"]
    async with live(root, watch=False) as gateway:
        boss = boss_of(gateway)
        (document,) = (await boss.ask("GET", "/v1/status"))["overlay"]["documents"]
        assert "no agent is called 'other'" in document["set_aside"]
        await boss.ask("DELETE", "/v1/admin/keys/ci")
        assert (await condition(boss, "DocumentsFit"))["overall"] == "ok"


async def test_servers_that_the_api_is_to_make(tree: Tree) -> None:
    """A tree may name them before they are there: it validates without the gateway, serves, and says what is not."""
    root = tree(files=SOLO)
    alone = await compile_tree(root, DEFAULT_KINDS, {})
    errors = [each for each in alone.diagnostics if each.severity == "error"]
    assert [each.code for each in errors] == ["HG1201", "HG1201"]
    assert "from_api of [mcp]" in errors[0].hint
    (root / "gateway.toml").write_text((root / "gateway.toml").read_text() + NAMED)
    alone = await compile_tree(root, DEFAULT_KINDS, {})
    assert not [each for each in alone.diagnostics if each.severity == "error"]
    async with live(root, watch=False) as gateway:
        boss = boss_of(gateway)
        told = await condition(boss, "ServersReady")
        assert (told["status"], told["reason"], told["overall"]) == ("False", "ServersMissing", "degraded")
        assert (await gateway.get("/v1/agents/named"))["tools"] == []
        await boss.ask("POST", PATH, program())
        assert (await gateway.get("/v1/agents/named"))["tools"] == ["fs__echo"]
        told = await condition(boss, "ServersReady")
        assert (told["status"], told["reason"], told["overall"]) == ("True", "NoneDown", "ok")
        assert await boss.ask("DELETE", f"{PATH}/fs") == {"deleted": True}
        assert (await condition(boss, "ServersReady"))["reason"] == "ServersMissing"


async def test_a_server_that_is_down(tree: Tree) -> None:
    """The status is degraded and says why; the gateway stays healthy and ready."""
    gone = '[mcp.servers.gone]\ncommand = "no-such-program"\n'
    async with live(tree(toml=gone), watch=False) as gateway:
        boss = boss_of(gateway)
        told = await condition(boss, "ServersReady")
        assert (told["status"], told["reason"], told["overall"]) == ("False", "ServersDown", "degraded")
        assert "gone (connection_error: there is no program 'no-such-program'" in told["message"]
        for path in ("/health/ready", "/health/live", "/api/health"):
            assert (await gateway.http.get(path)).status_code == 200
        edited(gateway, without=gone)
        await gateway.reload()
        assert (await condition(boss, "ServersReady"))["overall"] == "ok"


async def test_findings_of_a_change_are_its_own(tree: Tree) -> None:
    """A refusal lists what is wrong with the document, and no warnings about the tree."""
    async with live(tree(tools=["nothing_*"]), watch=False) as gateway:
        boss = boss_of(gateway)
        assert (await boss.ask("GET", "/v1/status"))["warnings"] > 0
        answer = await boss.send("POST", PATH, {"name": "x", "transport": "stdio"})
        assert {each["path"] for each in answer.json()["diagnostics"]} == {"overlay:mcp.servers.x"}
