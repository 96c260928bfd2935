"""Edits of a tree while it is served: what becomes live, what does not, and what goes on undisturbed."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from headgate.boot import Place, open_gateway
from headgate.engine.reload import BootError
from headgate.testing.harness import KEY, Live, agent_md, gateway_toml, live, spoken
from tests import workshop
from tests.conftest import Tree
from tests.waiting import until

WORDS = " ".join(f"word{n}" for n in range(120))
SLOW = f"- {{when: {{user_contains: slow}}, delay: 20ms, text: '{WORDS}'}}\n- {{text: first}}\n"
FUNCTIONS = '[functions]\npackages = ["tests.workshop"]\n'


async def applied(gateway: Live) -> None:
    """Waits until the live revision is that of the files."""
    await until(lambda: gateway.gateway.edge.status.live == gateway.gateway.edge.reloader.compiler.scan().revision)


async def rejected(gateway: Live) -> dict[str, Any]:
    """Waits until the files were read and refused, and returns the status."""
    status = gateway.gateway.edge.status
    await until(lambda: status.degraded and status.attempted == gateway.gateway.edge.reloader.compiler.scan().revision)
    body: dict[str, Any] = await gateway.get("/v1/status")
    return body


def condition(status: dict[str, Any], kind: str) -> dict[str, Any]:
    """One condition of a status."""
    return next(each for each in status["conditions"] if each["type"] == kind)


async def answer(gateway: Live, text: str = "hi") -> str:
    """What a new session is told."""
    return spoken(await (await gateway.session()).say(text))


async def test_ten_edits_under_twenty_streams(tree: Tree) -> None:
    """Good and broken edits, two of them of several files at once, disturb no stream and are never half live."""
    async with live(tree(SLOW)) as gateway:
        streams = [asyncio.create_task(answer(gateway, "slow")) for _ in range(20)]
        await until(lambda: len(gateway.gateway.edge.host.runs) == 20)
        for n in range(5):
            gateway.edit("script.yaml", SLOW.replace("first", f"edit {n}"))
            if n in (1, 3):
                gateway.edit("agents/other.md", agent_md(f"Number {n}.", model="default/auto"))
            await applied(gateway)
            assert await answer(gateway) == f"edit {n}"
            gateway.edit("agents/helper.md", agent_md(model="default/auto", tool=["*"]))
            status = await rejected(gateway)
            assert (status["status"], status["errors"]) == ("degraded", 1)
            assert await answer(gateway) == f"edit {n}"
            gateway.edit("agents/helper.md", agent_md(model="default/auto", tools=["*"]))
            await until(lambda: not gateway.gateway.edge.status.degraded)
        assert await asyncio.gather(*streams) == [WORDS] * 20
        assert gateway.gateway.snapshot.leases == 0


async def test_an_edit_of_two_files_is_one_edit(tree: Tree) -> None:
    """An agent and the tool that it names, written one after the other, become live together."""
    async with live(tree("- {call: sum, args: {a: 1, b: 1}}\n- {text: ok}\n")) as gateway:
        before = gateway.gateway.snapshot.revision
        gateway.edit("agents/helper.md", agent_md(model="default/auto", tools=["sum"]))
        gateway.edit("tools/sum.yaml", "kind: function\ndescription: Adds.\ncall: tests.workshop:add\n")
        await until(lambda: gateway.gateway.snapshot.revision != before)
        assert list(gateway.gateway.snapshot.agents["helper"].tools) == ["sum"]
        assert not gateway.gateway.edge.status.degraded


async def test_the_findings_of_a_broken_edit(tree: Tree) -> None:
    """A broken edit is told with every place; the revision before serves on."""
    async with live(tree(), watch=False) as gateway:
        revision = (await gateway.get("/v1/status"))["revision"]
        gateway.edit("agents/helper.md", agent_md(modle="x", max_turns=0))
        body = await gateway.reload()
        status = await gateway.get("/v1/status")
        found = await gateway.get("/v1/admin/diagnostics")
    assert (body["status"], body["error"]["code"], body["state"]) == (422, "invalid_tree", "rejected")
    assert status["revision"] == revision != status["attempted_revision"]
    assert condition(status, "Degraded")["status"] == "True"
    assert condition(status, "Accepted")["message"].startswith("2 errors; the first: agents/helper.md:")
    assert [(each["path"], each["line"]) for each in found["diagnostics"]] == [
        ("agents/helper.md", 3),
        ("agents/helper.md", 4),
    ]


async def test_an_asked_for_reload(tree: Tree) -> None:
    """The answer says what changed; the same content is unchanged; a stale `If-Match` is 412."""
    async with live(tree(), watch=False) as gateway:
        etag = (await gateway.http.get("/v1/status", headers=dict(gateway.headers))).headers["etag"]
        assert (await gateway.reload())["status"] == "unchanged"
        gateway.edit("agents/new.md", agent_md(model="default/auto"))
        headers = {**gateway.headers, "if-match": etag}
        first = await gateway.http.post("/v1/admin/reload", headers=headers)
        second = await gateway.http.post("/v1/admin/reload", headers=headers)
    assert first.json()["difference"] == {"added": ["agents/new"], "changed": [], "removed": []}
    assert first.headers["etag"] != etag
    assert (second.status_code, second.json()["error"]["code"]) == (412, "precondition_failed")


async def test_a_run_keeps_what_it_began_with(tree: Tree) -> None:
    """The rest of a run plays the script of its own revision; its snapshot closes when it has ended."""
    script = "- {call: wait, args: {name: pinned}}\n- {text: old}\n"
    async with live(tree(script), watch=False) as gateway:
        session, snapshot = await gateway.session(), gateway.gateway.snapshot
        talk = asyncio.create_task(session.say("hi"))
        await until(lambda: "pinned" in workshop.entered)
        gateway.edit("script.yaml", "- {text: new}\n")
        await gateway.reload()
        assert (snapshot.leases, snapshot.gone) == (1, False)
        workshop.gate("pinned").set()
        assert spoken(await talk) == "old"
        await until(lambda: snapshot.gone)
        assert await answer(gateway) == "new"


async def test_a_removed_tool_is_gone_at_once(tree: Tree) -> None:
    """A running agent may not call a tool that the live revision took from it."""
    script = "- {call: wait, args: {name: taken}}\n- {call: add, args: {a: 1, b: 1}}\n- {text: ok}\n"
    async with live(tree(script), watch=False) as gateway:
        session = await gateway.session()
        talk = asyncio.create_task(session.say("hi"))
        await until(lambda: "taken" in workshop.entered)
        gateway.edit("agents/helper.md", agent_md(model="default/auto", tools=["wait"]))
        await gateway.reload()
        workshop.gate("taken").set()
        found = [event for event in await talk if event["type"] == "tool_call_complete"]
    assert found[1]["error"] == {"code": "withdrawn", "message": "tool 'add' is no longer offered to agent 'helper'"}


@pytest.mark.parametrize("change", ['key = "another-key-entirely"', f'key = "{KEY}"\nscopes = ["admin:*"]'])
async def test_a_revoked_key_ends_its_runs(tree: Tree, change: str) -> None:
    """Runs of a key that was changed, or that may not chat any more, end at once, and its sessions are refused."""
    async with live(tree("- {call: wait, args: {name: revoked}}\n"), watch=False) as gateway:
        session = await gateway.session()
        count = len(workshop.entered)
        talk = asyncio.create_task(session.say("hi"))
        await until(lambda: len(workshop.entered) > count)
        gateway.edit("gateway.toml", gateway_toml(FUNCTIONS).partition("[auth")[0] + f"[auth.keys.tester]\n{change}\n"
            '[providers.default]\nkind = "scripted"\nscript = "script.yaml"\n' + FUNCTIONS)  # fmt: skip
        result = await gateway.gateway.edge.reloader.reload()
        assert result.status == "applied", result.diagnostics
        assert (await talk)[-1] == {"type": "error", "error": "revoked: the key may no longer call this agent"}
        refused = await gateway.http.post("/api/chat", json={"messages": []}, headers=session.headers)
    assert refused.status_code == (401 if "another" in change else 403)


async def test_restart_keys(tree: Tree) -> None:
    """An edit of what needs a new process is accepted, and says that it waits for one."""
    async with live(tree(), watch=False) as gateway:
        assert condition(await gateway.get("/v1/status"), "RestartRequired")["status"] == "False"
        gateway.edit("gateway.toml", gateway_toml(FUNCTIONS + "[server]\nport = 9\n[boot]\non_invalid = 'fail'\n"))
        result = await gateway.reload()
        assert result["status"] == "applied"
        found = [(each["path"], each["code"]) for each in result["diagnostics"] if each["code"] == "HG1403"]
        assert found == [("gateway.toml", "HG1403")]
        told = condition(await gateway.get("/v1/status"), "RestartRequired")
    assert (told["status"], told["message"]) == ("True", "server.port changed and takes effect after a restart")


async def test_a_rotated_secret(tree: Tree, tmp_path: Path) -> None:
    """A changed file of a `${file:}` reference reopens the object that uses it, and no other."""
    secret = tmp_path / "secret"
    secret.write_text("first-secret")
    other = f'[providers.other]\nkind = "anthropic"\napi_key = "${{file:{secret}}}"\n'
    async with live(tree(toml=other)) as gateway:
        before = {each.identity: each for each in gateway.gateway.snapshot.resources}
        fresh = tmp_path / "fresh"
        fresh.write_text("second-secret")
        fresh.replace(secret)
        snapshot = gateway.gateway.snapshot
        await until(lambda: gateway.gateway.snapshot is not snapshot)
        after = {each.identity: each for each in gateway.gateway.snapshot.resources}
    assert [name for name in after if after[name] is not before[name]] == [("providers", "other")]


async def test_a_secret_that_comes_later(tree: Tree, tmp_path: Path) -> None:
    """An edit that waits for a secret becomes live when the file is there, without another edit."""
    secret = tmp_path / "late"
    async with live(tree()) as gateway:
        toml = gateway_toml(f'{FUNCTIONS}[auth.keys.late]\nkey = "${{file:{secret}}}"\n')
        gateway.edit("gateway.toml", toml)
        await rejected(gateway)
        secret.write_text("a-late-secret")
        await until(lambda: not gateway.gateway.edge.status.degraded)
        assert len(gateway.gateway.snapshot.principals) == 2


async def test_the_last_good_revision(tree: Tree) -> None:
    """With `on_invalid = "last_good"` a start with a broken tree serves the revision that was live before."""
    root = tree("- {text: good}\n", toml='[boot]\non_invalid = "last_good"\n')
    async with live(root, watch=False):
        pass
    (root / "gateway.toml").write_text("this is not TOML")
    (root / "script.yaml").write_text("- {text: bad}\n")
    async with live(root, watch=False) as gateway:
        assert await answer(gateway) == "good"
        status = await gateway.get("/v1/status")
    assert (status["status"], condition(status, "Degraded")["reason"]) == ("degraded", "LastGood")


async def test_no_start_with_a_broken_tree(tree: Tree) -> None:
    """By default a broken tree is not served, though a good revision is known."""
    root = tree()
    async with live(root, watch=False):
        pass
    (root / "agents" / "helper.md").write_text("---\nnope: 1\n---\n")
    with pytest.raises(BootError, match=r"agents/helper.md:2:1"):
        async with open_gateway(Place(tree=root, environ={})):
            pass


async def test_the_demo_key_stays_at_home(tree: Tree) -> None:
    """An edit that brings the demo key to a gateway that binds wider than loopback is refused."""
    root = tree()
    async with open_gateway(Place(tree=root, host="0.0.0.0", port=0, environ={}), watch=False) as gateway:
        (root / "gateway.toml").write_text(gateway_toml(FUNCTIONS).replace(KEY, "local-demo-key"))
        result = await gateway.edge.reloader.reload()
    assert result.status == "rejected"
    assert [each.code for each in result.diagnostics] == ["HG1404"]
