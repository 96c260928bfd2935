"""What runs ask is listed and answered at the command line, on a server and on a tree that nobody serves."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path

from headgate.testing.harness import Live, live
from tests.cli.console import Done, headgate
from tests.cli.trees import KEYS, RUNS, WAITS, change, held, rows
from tests.waiting import until

BOSS = 'approvers = ["boss"]\n[auth.keys.boss]\nkey = "${env:BOSS:-the-key-of-the-boss}"\n'


@contextlib.asynccontextmanager
async def waiting(root: Path) -> AsyncIterator[Live]:
    """A server on the tree, with a run that waits for an approval."""
    async with live(root) as gateway:
        conversation = await gateway.session()
        conversation.messages.append({"role": "user", "content": "compute"})
        async with conversation.stream() as events:
            async for event in events:
                if event["type"] == "tool_approval_request":
                    break
        await until(lambda: rows(root, RUNS) == [("waiting",)])
        yield gateway


async def stopped(root: Path) -> str:
    """Leaves the tree with a run that waits, and no server; the id of its question."""
    async with waiting(root):
        pass
    ((wait,),) = rows(root, "SELECT id FROM waits")
    return str(wait)


async def on(gateway: Live, *words: str, root: Path, **environ: str) -> Done:
    """The command against a server."""
    return await headgate("approvals", *words, "--url", gateway.url, home=root, environ=KEYS | environ)


async def test_url(tmp_path: Path) -> None:
    """What waits on a server is listed, shown and approved there, and the run goes on."""
    async with waiting(held(tmp_path)) as gateway:
        (listed,) = json.loads((await on(gateway, "--format", "json", root=tmp_path)).out)
        shown = await on(gateway, "show", listed["id"], root=tmp_path)
        assert 'argument    The sum: "1+2"\n' in shown.out
        done = await on(gateway, "approve", listed["id"], "--reason", "fine", "--remember", root=tmp_path)
        assert (done.code, f"{listed['id']}: approved\n" in done.out) == (0, True)
        await until(lambda: rows(tmp_path, RUNS) == [("completed",)])
        assert rows(tmp_path, "SELECT tool FROM grants") == [("calculate",)]
        again = await on(gateway, "deny", listed["id"], root=tmp_path)
        assert (again.code, "approved already" in again.err) == (1, True)


async def test_url_list(tmp_path: Path) -> None:
    """The list says in two lines what is asked, for whom, and how long there is."""
    async with waiting(held(tmp_path)) as gateway:
        done = await on(gateway, "list", root=tmp_path)
    first, second = done.out.splitlines()
    assert first.endswith('  calculate(expression="1+2")')
    assert second.startswith("    approval wanted for tester; 1 h 59 min left")


async def test_url_link(tmp_path: Path) -> None:
    """The links of a question are printed; where nobody serves there are none."""
    root = held(tmp_path)
    (root / "gateway.toml").write_text(
        (root / "gateway.toml").read_text() + '[server]\npublic_url = "https://gw.example.com"\n'
    )
    async with waiting(root) as gateway:
        (listed,) = json.loads((await on(gateway, "--format", "json", root=tmp_path)).out)
        done = await on(gateway, "link", listed["id"], root=tmp_path)
        made = json.loads((await on(gateway, "link", listed["id"], "--format", "json", root=tmp_path)).out)
        approve, deny, who = done.out.splitlines()
        assert approve.startswith("approve  https://gw.example.com/links/")
        assert deny.startswith("deny     https://gw.example.com/links/")
        assert who.startswith("as tester, 1 h 59 min")
        assert set(made) == {"approve", "deny", "for", "expires_at"}
    refused = await headgate("approvals", "link", listed["id"], "--tree", str(root), home=tmp_path, environ=KEYS)
    assert (refused.code, "--url" in refused.err) == (1, True)


async def test_url_key(tmp_path: Path) -> None:
    """A key that may not answer is refused by the server."""
    async with waiting(held(tmp_path, BOSS)) as gateway:
        (listed,) = json.loads((await on(gateway, "list", "--format", "json", root=tmp_path)).out)
        refused = await on(gateway, "approve", listed["id"], root=tmp_path)
        allowed = await on(gateway, "approve", listed["id"], root=tmp_path, HEADGATE_API_KEY="the-key-of-the-boss")
    assert (refused.code, "key 'tester' may not" in refused.err) == (1, True)
    assert (allowed.code, "approve by boss" in allowed.out) == (0, True)


async def test_url_problem(tmp_path: Path) -> None:
    """What a server does not have is told in its words."""
    async with live(held(tmp_path)) as gateway:
        done = await on(gateway, "show", "wait_0", root=tmp_path)
    assert (done.code, done.out) == (1, "")
    assert "there is no" in done.err


async def test_tree(tmp_path: Path) -> None:
    """An approval in a tree that nobody serves is kept, and the run goes on with the next server."""
    wait = await stopped(held(tmp_path))
    listed = await headgate("approvals", home=tmp_path)
    assert listed.out.startswith(f'{wait}  calculate(expression="1+2")\n')
    done = await headgate("approvals", "approve", wait, home=tmp_path)
    assert (done.code, "approve by local operator\n" in done.out) == (0, True)
    assert (await headgate("approvals", "list", home=tmp_path)).out == "nothing waits for an answer\n"
    async with live(tmp_path):
        await until(lambda: rows(tmp_path, RUNS) == [("completed",)])


async def test_tree_deny(tmp_path: Path) -> None:
    """The reason of a denial is kept for the model."""
    wait = await stopped(held(tmp_path))
    words = ("approvals", "deny", wait, "--reason", "not today", "--format", "json")
    told = json.loads((await headgate(*words, home=tmp_path)).out)
    assert (told["state"], told["votes"][0]["reason"]) == ("denied", "not today")
    async with live(tmp_path):
        await until(lambda: rows(tmp_path, "SELECT answer FROM runs") == [("Let me. Then not.",)])


async def test_tree_key(tmp_path: Path) -> None:
    """`--key` answers as that key, if the policy lets it; one that is not there is refused with those that are."""
    wait = await stopped(held(tmp_path, BOSS))
    refused = await headgate("approvals", "approve", wait, "--key", "tester", home=tmp_path)
    assert (refused.code, "only boss may answer this" in refused.err) == (1, True)
    nobody = await headgate("approvals", "--key", "nobody", home=tmp_path)
    assert (nobody.code, "there are: boss, tester" in nobody.err) == (1, True)
    assert (await headgate("approvals", "approve", wait, "--key", "boss", home=tmp_path)).code == 0


async def test_tree_remember(tmp_path: Path) -> None:
    """What the policy does not let be remembered is refused, and stays open."""
    wait = await stopped(held(tmp_path, ""))
    done = await headgate("approvals", "approve", wait, "--remember", home=tmp_path)
    assert (done.code, "does not let approvals of calculate be remembered" in done.err) == (1, True)
    assert rows(tmp_path, WAITS) == [("pending",)]


async def test_tree_outcome(tmp_path: Path) -> None:
    """An approval takes no outcome: that is for calls that were cut off."""
    wait = await stopped(held(tmp_path))
    done = await headgate("approvals", "settle", wait, "done", home=tmp_path)
    assert (done.code, "'done' is no answer to a question of the kind 'approval'" in done.err) == (1, True)


async def test_tree_cut_off(tmp_path: Path) -> None:
    """What became of a call that was cut off is settled in the same way, and listed as such."""
    wait = await stopped(held(tmp_path))
    change(tmp_path, "UPDATE waits SET kind = 'unknown_outcome'")
    assert "    what became of it wanted for tester; " in (await headgate("approvals", home=tmp_path)).out
    done = await headgate("approvals", "settle", wait, "done", "--reason", "seen it", home=tmp_path)
    assert (done.code, f"{wait}: answered\n" in done.out) == (0, True)
    assert 'answer      done by local operator: "seen it"\n' in done.out


async def test_served_tree(tmp_path: Path) -> None:
    """A tree that is served is not opened beside its server."""
    async with live(held(tmp_path)):
        done = await headgate("approvals", home=tmp_path)
    assert (done.code, "another gateway runs on" in done.err) == (1, True)


async def test_no_ledger(tmp_path: Path) -> None:
    """A tree that was never served has nothing to answer."""
    done = await headgate("approvals", home=held(tmp_path))
    assert (done.code, "there is no ledger" in done.err) == (1, True)


async def test_url_edit(tmp_path: Path) -> None:
    """A call is approved with other arguments; what is no object, or does not fit the tool, is refused."""
    async with waiting(held(tmp_path)) as gateway:
        (listed,) = json.loads((await on(gateway, "list", "--format", "json", root=tmp_path)).out)
        wrong = [
            await on(gateway, "approve", listed["id"], "--edit", text, root=tmp_path)
            for text in ("{", "[1]", '{"expression": 1}')
        ]
        done = await on(gateway, "approve", listed["id"], "--edit", '{"expression": "2+2"}', root=tmp_path)
    assert [each.code for each in wrong] == [64, 64, 1]
    assert "do not fit calculate" in wrong[2].err
    assert (done.code, 'approve by tester with {"expression": "2+2"}' in done.out) == (0, True)


async def test_tree_edit(tmp_path: Path) -> None:
    """In a tree that nobody serves the edit is checked against the tool's manifest."""
    wait = await stopped(held(tmp_path))
    wrong = await headgate("approvals", "approve", wait, "--edit", '{"expression": 1}', home=tmp_path)
    done = await headgate("approvals", "approve", wait, "--edit", '{"expression": "2+2"}', home=tmp_path)
    assert (wrong.code, "do not fit calculate" in wrong.err, done.code) == (1, True, 0)
    assert 'with {"expression": "2+2"}' in done.out


async def test_grants(tmp_path: Path) -> None:
    """What is remembered for a session is listed and forgotten, on a server and in a tree that nobody serves."""
    async with waiting(held(tmp_path)) as gateway:
        (listed,) = json.loads((await on(gateway, "list", "--format", "json", root=tmp_path)).out)
        session = listed["session"]
        none = await on(gateway, "grants", session, root=tmp_path)
        await on(gateway, "approve", listed["id"], "--remember", root=tmp_path)
        await until(lambda: rows(tmp_path, RUNS) == [("completed",)])
        some = await on(gateway, "grants", session, root=tmp_path)
        other = await on(gateway, "revoke", session, "--tool", "other", root=tmp_path)
        unknown = await on(gateway, "grants", "sess_0", root=tmp_path)
    assert (none.out, other.out, unknown.code) == ("nothing is remembered\n", "0 revoked\n", 1)
    assert some.out.startswith("calculate (policy ")
    assert some.out.endswith("by tester\n")
    (grant,) = json.loads((await headgate("approvals", "grants", session, "--format", "json", home=tmp_path)).out)
    assert (grant["tool"], grant["granted_by"]) == ("calculate", "tester")
    assert (await headgate("approvals", "revoke", session, home=tmp_path)).out == "1 revoked\n"
    assert (await headgate("approvals", "revoke", "sess_0", home=tmp_path)).code == 1
