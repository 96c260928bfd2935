"""API keys through the API: kept as a hash, changed and revoked at once, and never more than their maker's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from headgate.core.apikeys import digest_of, mistyped, new_key
from headgate.testing.harness import KEY, Live, live
from tests import workshop
from tests.conftest import Tree
from tests.server.native import Caller
from tests.waiting import until

KEEPER = '[auth.keys.keeper]\nkey = "the-key-of-a-keeper"\nteam = "web"\nscopes = ["chat", "admin:keys"]\n'
KEEPER += 'agents = ["help*"]\ntools = ["add", "wait"]\n'
SCRIPT = "- {call: wait, args: {name: door}}\n- {text: done}\n"


def root_of(gateway: Live) -> Caller:
    """The harness's key, which may do everything."""
    return Caller(gateway, KEY)


async def make(by: Caller, **body: Any) -> dict[str, Any]:
    """A new key called `ci` unless it has another name."""
    return await by.ask("POST", "/v1/admin/keys", {"name": "ci", **body}, status=201)


def test_the_form_of_a_key() -> None:
    """256 random bits and a checksum, which finds a wrong and a missing character; other keys are not judged."""
    keys = {new_key() for _ in range(50)}
    assert {len(each) for each in keys} == {52}
    assert len(keys) == 50
    key = keys.pop()
    assert not mistyped(key)
    assert mistyped(key[:-1])
    assert mistyped(key[:10] + ("a" if key[10] != "a" else "b") + key[11:])
    assert not mistyped("some-other-key")


async def test_a_key_is_shown_once(tree: Tree) -> None:
    """The answer that makes it has it; no list and no file of the state does. It works at once and after a restart."""
    root = tree()
    async with live(root, watch=False) as gateway:
        boss = root_of(gateway)
        made = await make(boss, team="web", scopes=["chat", "status:read"], description="the build")
        assert made["key"].startswith("hg_")
        assert (made["team"], made["source"], made["created_by"]) == ("web", "api", "tester")
        assert (await Caller(gateway, made["key"]).ask("GET", "/v1/status"))["status"] == "ok"
        shown = await boss.ask("GET", "/v1/admin/keys")
        assert [(each["name"], each["source"]) for each in shown["items"]] == [("ci", "api"), ("tester", "tree")]
        one = await boss.ask("GET", "/v1/admin/keys/ci")
        assert one == {name: value for name, value in made.items() if name != "key"}
        assert digest_of(made["key"]) not in str(shown)
    kept = b"".join(path.read_bytes() for path in (root / ".headgate").rglob("*") if path.is_file())
    assert made["key"].encode() not in kept
    async with live(root, watch=False) as gateway:
        assert (await Caller(gateway, made["key"]).ask("GET", "/v1/status"))["status"] == "ok"


async def test_a_mistyped_key(tree: Tree) -> None:
    """A key of ours that lost a character is told so."""
    async with live(tree(), watch=False) as gateway:
        made = await make(root_of(gateway))
        found = await gateway.http.get("/v1/status", headers={"authorization": f"Bearer {made['key'][:-1]}"})
    assert found.status_code == 401
    assert "mistyped" in found.json()["detail"]


BEYOND = [
    {"scopes": ["admin:*"]},
    {"scopes": ["*"]},
    {"scopes": ["admin"]},
    {"scopes": ["chat", "admin:reload"]},
    {"agents": ["*"]},
    {"agents": ["hel*", "other"]},
    {"tools": ["*"]},
    {"tools": ["fail"]},
    {"team": "ops"},
]


@pytest.mark.parametrize("body", BEYOND)
async def test_nobody_gives_more_than_they_have(tree: Tree, body: dict[str, Any]) -> None:
    """Not when a key is made, not when it is changed; and a key that may more can be neither taken over nor revoked."""
    async with live(tree(toml=KEEPER), watch=False) as gateway:
        boss, keeper = root_of(gateway), Caller(gateway, "the-key-of-a-keeper")
        own = {"agents": ["helper"], "tools": ["add"]}
        refused = (403, "beyond_own_rights")
        assert await keeper.code("POST", "/v1/admin/keys", {"name": "x", **own, **body}) == refused
        made = await make(keeper, **own)
        assert (made["team"], made["scopes"]) == ("web", ["chat"])
        assert await keeper.code("PATCH", "/v1/admin/keys/ci", body) == refused
        await boss.ask("PATCH", "/v1/admin/keys/ci", {"team": "ops", "scopes": ["chat", "admin:*"]})
        for method, path in (("POST", "/rotate"), ("PATCH", ""), ("DELETE", "")):
            wanted = {} if method == "PATCH" else None
            assert await keeper.code(method, f"/v1/admin/keys/ci{path}", wanted) == refused
        assert (await boss.ask("GET", "/v1/admin/keys/ci"))["team"] == "ops"


async def test_defaults_are_not_more_either(tree: Tree) -> None:
    """A key that is made without agents and tools would have all of them: its maker must have all, too."""
    async with live(tree(toml=KEEPER), watch=False) as gateway:
        keeper = Caller(gateway, "the-key-of-a-keeper")
        assert await keeper.code("POST", "/v1/admin/keys", {"name": "x"}) == (403, "beyond_own_rights")


WRONG = [
    ({"name": "Bad Name"}, "invalid_request"),
    ({"name": "x", "scopes": ["chta"]}, "invalid_document"),
    ({"name": "x", "scopes": ["agents:invoke:nobody"]}, "invalid_document"),
    ({"name": "x", "agents": ["nobody"]}, "invalid_document"),
    ({"name": "x", "expires_at": "soon"}, "invalid_request"),
    ({"name": "x", "key": "my-own-secret"}, "invalid_request"),
    ({"name": "x", "scopes": None}, "invalid_request"),
]


@pytest.mark.parametrize(("body", "code"), WRONG)
async def test_what_is_not_in_order(tree: Tree, body: dict[str, Any], code: str) -> None:
    """Misspelt scopes, agents and times are refused with what was probably meant, and nothing is kept."""
    async with live(tree(), watch=False) as gateway:
        boss = root_of(gateway)
        assert await boss.code("POST", "/v1/admin/keys", body) == (422, code)
        assert len((await boss.ask("GET", "/v1/admin/keys"))["items"]) == 1
        if body.get("scopes") == ["chta"]:
            answer = await gateway.http.post("/v1/admin/keys", json=body, headers=dict(gateway.headers))
            assert "did you mean 'chat'?" in answer.json()["detail"]
            (found,) = answer.json()["diagnostics"]
            assert (found["path"], found["code"]) == ("overlay:auth.keys.x", "HG1201")


async def test_keys_of_the_tree(tree: Tree) -> None:
    """They are listed, and changed where they are declared."""
    async with live(tree(), watch=False) as gateway:
        boss = root_of(gateway)
        assert await boss.code("POST", "/v1/admin/keys", {"name": "tester"}) == (409, "declared_in_tree")
        for method, path in (("PATCH", ""), ("POST", "/rotate"), ("DELETE", "")):
            wanted = {} if method == "PATCH" else None
            assert await boss.code(method, f"/v1/admin/keys/tester{path}", wanted) == (409, "declared_in_tree")
            assert await boss.code(method, f"/v1/admin/keys/nobody{path}", wanted) == (404, "key_not_found")
        await make(boss)
        assert await boss.code("POST", "/v1/admin/keys", {"name": "ci"}) == (409, "already_exists")


async def test_revoking_ends_everything(tree: Tree) -> None:
    """The run of a deleted key ends as revoked while its tool works, its stream is told, and the key opens nothing."""
    async with live(tree(SCRIPT), watch=False) as gateway:
        boss = root_of(gateway)
        made = await make(boss)
        owner = Caller(gateway, made["key"])
        run = await owner.begin()
        await until(lambda: "door" in workshop.entered)
        async with owner.follow(run) as events:
            assert (await boss.ask("DELETE", "/v1/admin/keys/ci"))["revoked"]
            told = [event async for event in events]
        assert (told[-1].event, told[-1].data["outcome"]) == ("run.cancelled", "revoked")
        assert await boss.state(run) == "cancelled"
        assert (await boss.ask("GET", f"/v1/runs/{run}"))["outcome"] == "revoked"
        assert await owner.code("GET", "/v1/status") == (401, "invalid_credentials")
        kinds = [each["kind"] for each in (await boss.ask("GET", "/v1/audit"))["items"]]
    assert {"key.made", "key.revoked"} <= set(kinds)


async def test_watchers_are_cut(tree: Tree) -> None:
    """A stream in which a key watches the run of another one ends when the watching key is revoked, or may see less."""
    async with live(tree(SCRIPT), watch=False) as gateway:
        boss = root_of(gateway)
        run = await boss.begin()
        await until(lambda: "door" in workshop.entered)
        for change in (("DELETE", None), ("PATCH", {"scopes": ["chat"]})):
            watcher = Caller(gateway, (await make(boss, scopes=["chat", "admin:runs"]))["key"])
            async with watcher.follow(run) as events:
                assert (await anext(events)).event == "run.started"
                await boss.ask(change[0], "/v1/admin/keys/ci", change[1])
                assert [event.event async for event in events if event.event.startswith("run.")] == []
            assert await boss.state(run) == "running"
        workshop.gate("door").set()


async def test_runs_that_wait_end_too(tree: Tree) -> None:
    """A run that waits for a person ends when its key is revoked, without anybody answering."""
    ask = '[approvals.gate]\ntools = ["wait"]\ndecide = "ask"\n'
    async with live(tree(SCRIPT, toml=ask), watch=False) as gateway:
        boss = root_of(gateway)
        owner = Caller(gateway, (await make(boss))["key"])
        run, _ = await owner.waiting()
        await boss.ask("DELETE", "/v1/admin/keys/ci")
        for _ in range(200):
            if await boss.state(run) == "cancelled":
                break
        assert (await boss.ask("GET", f"/v1/runs/{run}"))["outcome"] == "revoked"


async def test_rotation_with_an_overlap(tree: Tree) -> None:
    """Both secrets work until the overlap is over; without one the old secret stops at once."""
    async with live(tree(), watch=False) as gateway:
        boss = root_of(gateway)
        first = (await make(boss))["key"]
        second = await boss.ask("POST", "/v1/admin/keys/ci/rotate", {"overlap_s": 600})
        assert second["previous_until"] is not None
        for key in (first, second["key"]):
            assert (await Caller(gateway, key).ask("GET", "/v1/status"))["status"] == "ok"
        third = (await boss.ask("POST", "/v1/admin/keys/ci/rotate"))["key"]
        for key in (first, second["key"]):
            assert await Caller(gateway, key).code("GET", "/v1/status") == (401, "invalid_credentials")
        assert (await Caller(gateway, third).ask("GET", "/v1/status"))["status"] == "ok"
        assert (await boss.ask("GET", "/v1/admin/keys/ci"))["revision"] == 3


async def test_a_key_that_is_over(tree: Tree) -> None:
    """A key works until its end; its runs end with it."""
    async with live(tree(SCRIPT), watch=False) as gateway:
        boss = root_of(gateway)
        past = await make(boss, expires_at="2020-01-01T00:00:00Z")
        assert past["expired"]
        assert await Caller(gateway, past["key"]).code("GET", "/v1/status") == (401, "invalid_credentials")
        await boss.ask("PATCH", "/v1/admin/keys/ci", {"expires_at": None})
        owner = Caller(gateway, past["key"])
        run = await owner.begin()
        await until(lambda: "door" in workshop.entered)
        await boss.ask("PATCH", "/v1/admin/keys/ci", {"expires_at": "2020-01-01T00:00:00Z"})
        await until(lambda: not gateway.gateway.edge.host.runs)
        assert (await boss.ask("GET", f"/v1/runs/{run}"))["outcome"] == "revoked"


async def test_a_hash_in_the_tree(tree: Tree) -> None:
    """A key may stand in the tree as its hash alone."""
    secret = new_key()
    toml = f'[auth.keys.hashed]\nkey_hash = "sha256:{digest_of(secret)}"\n'
    async with live(tree(toml=toml), watch=False) as gateway:
        assert (await Caller(gateway, secret).ask("GET", "/v1/status"))["status"] == "ok"
        session = await gateway.http.post("/api/chat/init", json={"api_key": secret})
        assert session.status_code == 200


async def test_a_stale_etag(tree: Tree, tmp_path: Path) -> None:
    """A reload that was decided on before a key was made is refused."""
    async with live(tree(), watch=False) as gateway:
        boss = root_of(gateway)
        before = (await gateway.http.get("/v1/status", headers=boss.headers)).headers["etag"]
        await make(boss)
        headers = {**boss.headers, "if-match": before}
        assert (await gateway.http.post("/v1/admin/reload", headers=headers)).status_code == 412
