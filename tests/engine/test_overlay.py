"""Documents that the API declares: compiled with the tree, durable, encrypted, and live everywhere."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from headgate.core.errors import Conflict, Invalid, NotFound, PreconditionFailed
from headgate.engine.amend import Change
from headgate.engine.overlays import Overlays
from headgate.state import encryption_keys
from headgate.stores import open_ledger
from headgate.stores.cipher import Cipher
from headgate.testing.harness import Live, gateway_toml, live
from tests.conftest import DEFAULT, Tree
from tests.waiting import until

KEYS = "auth.keys"
BODY: dict[str, Any] = {"key": "the-key-of-the-overlay", "team": "web", "scopes": ["chat"]}


def put(name: str = "ci", body: dict[str, Any] | None = BODY, **changes: Any) -> Change:
    """A key, as somebody with the right to do so makes it."""
    return Change(KEYS, name, body, "tester", **changes)


async def amend(gateway: Live, change: Change) -> None:
    """Makes the change."""
    await gateway.gateway.edge.amender.amend(change)


async def works(gateway: Live, key: str = "the-key-of-the-overlay") -> bool:
    """Whether the key opens the door."""
    answer = await gateway.http.get("/v1/status", headers={"authorization": f"Bearer {key}"})
    return answer.status_code == 200


def overlaid(root: Path) -> Overlays:
    """What another process has that shares the ledger of the tree: its own connection and the same encryption key."""
    return Overlays(None, Cipher(encryption_keys(root / ".headgate")))  # type: ignore[arg-type]


async def test_a_document_is_live_and_durable(tree: Tree) -> None:
    """It counts at once and after a restart; the status names it and its maker, and shows none of it."""
    root = tree()
    async with live(root, watch=False) as gateway:
        before = (await gateway.http.get("/v1/status", headers=dict(gateway.headers))).headers["etag"]
        assert not await works(gateway)
        await amend(gateway, put(new=True))
        assert await works(gateway)
        answer = await gateway.http.get("/v1/status", headers=dict(gateway.headers))
    assert answer.headers["etag"] == before.replace('.0"', '.1"') != before
    assert "the-key-of-the-overlay" not in answer.text
    overlay = answer.json()["overlay"]
    assert overlay["generation"] == 1
    assert [{**each, "updated_at": 0} for each in overlay["documents"]] == [
        {
            "kind": KEYS,
            "name": "ci",
            "revision": 1,
            "updated_at": 0,
            "updated_by": "tester",
            "hidden": False,
            "set_aside": None,
        }
    ]
    async with live(root, watch=False) as gateway:
        assert await works(gateway)
        await amend(gateway, put(body=None))
        assert not await works(gateway)
    async with live(root, watch=False) as gateway:
        assert not await works(gateway)
        assert (await gateway.get("/v1/status"))["overlay"] == {"generation": 2, "documents": []}


async def test_secrets_are_encrypted_at_rest(tree: Tree) -> None:
    """No file of the state holds a document's secret, and no log line or finding shows it."""
    root = tree()
    async with live(root, watch=False) as gateway:
        await amend(gateway, put())
        assert "the-key-of" not in gateway.gateway.snapshot.scrub("it is the-key-of-the-overlay")
    held = b"".join(path.read_bytes() for path in (root / ".headgate").rglob("*") if path.is_file())
    assert b"the-key-of-the-overlay" not in held
    assert (root / ".headgate" / "encryption_key").stat().st_mode & 0o077 == 0
    with closing(sqlite3.connect(root / ".headgate" / "state.db")) as db:
        ((body, sealed),) = db.execute("SELECT body, sealed FROM documents").fetchall()
    assert body == '{"key":null,"team":"web","scopes":["chat"]}'
    assert sealed.startswith("gAAAA")


async def test_rotation_of_the_encryption_key(tree: Tree) -> None:
    """A new key takes over at the next start, after which the old one is needed no more; without any the document is
    set aside, and it is there again when the key is."""
    first, second = "1" * 32, "2" * 32

    def toml(keys: str) -> str:
        return gateway_toml(f'[functions]\npackages = ["tests.workshop"]\n[auth]\n{keys}', top=DEFAULT)

    root = tree()
    (root / "gateway.toml").write_text(toml(f'encryption_key = "{first}"\n'))
    async with live(root, watch=False) as gateway:
        await amend(gateway, put())
    (root / "gateway.toml").write_text(toml(f'encryption_key = "{second}"\n'))
    async with live(root, watch=False) as gateway:
        assert not await works(gateway)
        status = await gateway.get("/v1/status")
        (document,) = status["overlay"]["documents"]
        assert "previous_encryption_keys" in document["set_aside"]
        assert status["status"] == "degraded"
    (root / "gateway.toml").write_text(toml(f'encryption_key = "{second}"\nprevious_encryption_keys = ["{first}"]\n'))
    async with live(root, watch=False) as gateway:
        assert await works(gateway)
        assert gateway.gateway.snapshot.overlay.generation == 1
    (root / "gateway.toml").write_text(toml(f'encryption_key = "{second}"\n'))
    async with live(root, watch=False) as gateway:
        assert await works(gateway)


WRONG: list[tuple[dict[str, Any], str, str]] = [
    ({**BODY, "agents": ["nobody"]}, "overlay:auth.keys.ci:8:5", "HG1201"),
    ({**BODY, "agnets": ["*"]}, "overlay:auth.keys.ci:7:3", "HG1003"),
    ({"team": "web"}, "overlay:auth.keys.ci:1:1", "HG1005"),
    ({**BODY, "key": "short"}, "overlay:auth.keys.ci:2:10", "HG1004"),
    ({**BODY, "key": "test-key-of-the-harness"}, "overlay:auth.keys.ci:2:10", "HG1203"),
    ({**BODY, "team": "${env:HOME}"}, "overlay:auth.keys.ci:3:11", "HG1101"),
    ({**BODY, "key": "${secret:vault/x#y}-and-more"}, "overlay:auth.keys.ci:2:10", "HG1101"),
]


@pytest.mark.parametrize(("body", "place", "code"), WRONG)
async def test_a_document_with_errors(tree: Tree, body: dict[str, Any], place: str, code: str) -> None:
    """It is refused with the findings that a file would have, each at its place in it, and nothing is kept."""
    async with live(tree(), watch=False) as gateway:
        before = gateway.gateway.snapshot
        with pytest.raises(Invalid) as caught:
            await amend(gateway, put(body=body))
        found = [(str(each).partition(": ")[0], each.code) for each in caught.value.details["diagnostics"]]
        assert (place, code) in found
        assert caught.value.code == "invalid_document"
        assert gateway.gateway.snapshot is before
        assert (await gateway.gateway.edge.host.ledger.documents()).records == ()


async def test_the_tree_wins(tree: Tree) -> None:
    """A name of the tree is taken; one that the tree takes later has no other effect than a warning that names both."""
    async with live(tree(), watch=False) as gateway:
        with pytest.raises(Conflict) as caught:
            await amend(gateway, put("tester"))
        assert caught.value.code == "declared_in_tree"
        await amend(gateway, put("late"))
        toml = (gateway.root / "gateway.toml").read_text()
        gateway.edit("gateway.toml", f'{toml}\n[auth.keys.late]\nkey = "${{env:LATE:-the-key-of-the-tree}}"\n')
        done = await gateway.reload()
        (warning,) = [each for each in done["diagnostics"] if each["code"] == "HG1203"]
        assert (done["status"], warning["severity"], warning["path"]) == ("applied", "warning", "gateway.toml")
        assert "auth.keys.late" in warning["message"]
        assert "overlay:auth.keys.late" in warning["message"]
        assert (await works(gateway, "the-key-of-the-tree"), await works(gateway)) == (True, False)
        (document,) = (await gateway.get("/v1/status"))["overlay"]["documents"]
        assert document["hidden"]
        await amend(gateway, put("late", None))
        assert (await gateway.get("/v1/status"))["warnings"] == 0


async def test_what_must_be_so_before(tree: Tree) -> None:
    """A change may want that there is no such document, that there is one, or that it has a revision."""
    async with live(tree(), watch=False) as gateway:
        for change in (put(new=False), put(body=None)):
            with pytest.raises(NotFound):
                await amend(gateway, change)
        await amend(gateway, put(new=True))
        with pytest.raises(Conflict):
            await amend(gateway, put(new=True))
        await amend(gateway, put(revision=1))
        with pytest.raises(PreconditionFailed):
            await amend(gateway, put(revision=1))
        document = gateway.gateway.snapshot.overlay.get(KEYS, "ci")
    assert document is not None
    assert document.revision == 2


async def test_a_broken_tree_stops_no_change(tree: Tree) -> None:
    """While an edit with errors waits, keys can still be made and revoked, and the edit is still reported."""
    async with live(tree(), watch=False) as gateway:
        await amend(gateway, put())
        good = (gateway.root / "agents/helper.md").read_text()
        gateway.edit("agents/helper.md", "---\nnothing\n---\n")
        assert (await gateway.http.post("/v1/admin/reload", headers=dict(gateway.headers))).status_code == 422
        await amend(gateway, put(body=None))
        assert not await works(gateway)
        await amend(gateway, put("other"))
        assert await works(gateway)
        status = await gateway.get("/v1/status")
        assert (status["status"], status["errors"] > 0) == ("degraded", True)
        gateway.edit("agents/helper.md", good)
        assert (await gateway.reload())["status"] == "unchanged"
        assert (await gateway.get("/v1/status"))["status"] == "ok"


async def test_a_change_may_mend_an_edit(tree: Tree) -> None:
    """An edit that was rejected because of a document is tried again when the document changes."""
    async with live(tree(files={"agents/other.md": "---\ndescription: x\n---\nHi.\n"}), watch=False) as gateway:
        await amend(gateway, put(body={**BODY, "agents": ["other"]}))
        (gateway.root / "agents/other.md").unlink()
        answer = await gateway.http.post("/v1/admin/reload", headers=dict(gateway.headers))
        (found,) = [each for each in answer.json()["diagnostics"] if each["severity"] == "error"]
        assert (found["path"], found["code"]) == ("overlay:auth.keys.ci", "HG1201")
        await amend(gateway, put(body=None))
        assert set(gateway.gateway.snapshot.agents) == {"helper"}
        assert not gateway.gateway.edge.status.degraded


async def test_other_processes_see_it(tree: Tree) -> None:
    """What somebody else writes into the same ledger is live soon after, and what does not compile here is reported."""
    root = tree()
    async with live(root) as gateway, open_ledger("sqlite:///.headgate/state.db", root) as ledger:
        await amend(gateway, put())
        overlays = Overlays(ledger, overlaid(root).cipher)
        held = (await overlays.read()).documents[0]
        await overlays.delete(held, by="elsewhere", at=5.0, generation=1)
        await until(lambda: not gateway.gateway.snapshot.overlay.documents)
        assert not await works(gateway)
        body = {"key": "a-key-for-an-agent-of-elsewhere", "agents": ["elsewhere"]}
        await overlays.put(type(held)(KEYS, "far", body, by="elsewhere"), (), 2)
        await until(lambda: gateway.gateway.edge.status.degraded)
        condition = gateway.gateway.edge.status.conditions["DocumentsFit"]
        assert (condition.reason, "overlay:auth.keys.far" in condition.message) == ("SetAside", True)
        await overlays.put(type(held)(KEYS, "far", {**body, "agents": ["*"]}, by="elsewhere"), (), 3)
        await until(lambda: not gateway.gateway.edge.status.degraded)
        assert await works(gateway, "a-key-for-an-agent-of-elsewhere")


async def test_many_at_once(tree: Tree) -> None:
    """Changes that are asked at the same time are all made, one after the other."""
    async with live(tree(), watch=False) as gateway:
        keys = [put(f"k{n}", {"key": f"the-key-number-{n}"}, new=True) for n in range(8)]
        await asyncio.gather(*(amend(gateway, each) for each in keys))
        assert len(gateway.gateway.snapshot.overlay.documents) == 8
        assert gateway.gateway.snapshot.overlay.generation == 8
        assert (await gateway.gateway.edge.host.ledger.documents()).generation == 8
