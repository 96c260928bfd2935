"""Layers only tighten: what files of `gateway.d` say holds beside `gateway.toml`, and for their team alone."""

from __future__ import annotations

from headgate.testing.harness import live, write_tree
from tests.conftest import Tree
from tests.governance.test_bypass import ONE, codes, held, made
from tests.governance.test_client_tools import script
from tests.server.native import LEAD, PICK, Caller, settled
from tests.waiting import until

__all__ = ["made"]

SUPERVISORS = f'team = "supervisors"\n[auth.keys.lead]\nkey = "{LEAD}"\nscopes = ["chat"]\n'
HOLD = '[approvals.hold]\ntools = ["wait"]\ndecide = "{}"\n'


async def test_a_layer_cannot_allow(tree: Tree, made: list[str]) -> None:
    """Of the files the strictest counts, wherever it stands."""
    allow = '[approvals.free]\ntools = ["wait"]\ndecide = "allow"\n'
    for first, second in ((HOLD.format("deny"), allow), (allow, HOLD.format("deny"))):
        root = tree(ONE, toml=first, files={"gateway.d/10-more.toml": second})
        async with live(root, watch=False) as gateway:
            told = await Caller(gateway).told(await Caller(gateway).begin())
        assert (codes(told), made) == (["policy_denied"], [])


async def test_the_policies_of_a_team(tree: Tree, made: list[str]) -> None:
    """They are for sessions of the team, and take nothing away from those of the gateway."""
    files = {"gateway.d/20-lead.toml": SUPERVISORS + HOLD.format("ask")}
    async with live(tree(ONE, files=files), watch=False) as gateway:
        own, other = Caller(gateway, LEAD), Caller(gateway)
        run, _ = await own.waiting()
        assert codes(await other.told(await other.begin())) == [None]
        assert (await held(own, run), made) == (["pending"], ["one"])


async def test_the_interceptors_of_a_team(tree: Tree) -> None:
    """They stand around calls of the team's sessions, also after an edit takes them out and in again."""
    guard = '[interceptors.no]\nkind = "guard"\non = ["arguments"]\npatterns = ["ann"]\n'
    files = {"gateway.d/20-lead.toml": SUPERVISORS + guard}
    talk = "- {call: talk, args: {topic: ann}}\n- {text: Done}\n"
    async with live(tree(talk, files=files), watch=False) as gateway:
        own, other = Caller(gateway, LEAD), Caller(gateway)
        assert codes(await own.told(await own.begin())) == ["guard_denied"]
        assert codes(await other.told(await other.begin())) == [None]
        without = {"gateway.d/20-lead.toml": SUPERVISORS}
        write_tree(gateway.root, without)
        assert (await gateway.reload())["status"] == "applied"
        assert codes(await own.told(await own.begin())) == [None]


async def test_what_an_edit_loosens_is_refused(tree: Tree) -> None:
    """The revision before goes on, and the finding names both places."""
    async with live(tree(ONE, toml="[limits]\nturns = 5\n"), watch=False) as gateway:
        before = gateway.gateway.edge.snapshot.revision
        write_tree(gateway.root, {"gateway.d/10-more.toml": "[limits]\nturns = 9\n"})
        refused = await gateway.reload()
        assert gateway.gateway.edge.snapshot.revision == before
    assert refused["status"] == 422
    assert "gateway.d/10-more.toml" in str(refused)
    assert "gateway.toml:15:1 says 5" in str(refused)


async def test_a_new_folder_is_seen(tree: Tree, made: list[str]) -> None:
    """A tree that is watched takes up a `gateway.d` that was not there before."""
    async with live(tree(ONE)) as gateway:
        caller, before = Caller(gateway), (await gateway.get("/v1/status"))["revision"]
        write_tree(gateway.root, {"gateway.d/10-more.toml": HOLD.format("ask")})
        await until(lambda: gateway.gateway.edge.snapshot.revision != before)
        await caller.begin()
        await settled(gateway)
        assert len((await caller.ask("GET", "/v1/approvals?state=pending"))["items"]) == 1
    assert made == []


async def test_client_tools_and_the_interceptors_of_a_team(tree: Tree) -> None:
    """Whose session it is counts for both ways through the interceptors."""
    shape = '[interceptors.shape]\nkind = "transform"\narguments = "{x: `5`}"\nresult = "a"\n'
    takes = "input: {type: object, properties: {x: {type: integer}}}\n"
    files = {"tools/pick.yaml": PICK["tools/pick.yaml"] + takes, "gateway.d/20-lead.toml": SUPERVISORS + shape}
    asked = []
    async with live(tree(script({"x": 1}, 1), files=files), watch=False) as gateway:
        for caller in (Caller(gateway, LEAD), Caller(gateway)):
            run, (wait,) = await caller.waiting()
            await caller.ask("POST", f"/v1/waits/{wait['id']}/answer", {"result": {"a": "b"}})
            told = await caller.told(run)
            (end,) = [each for each in told if each.event == "tool.completed"]
            asked.append((wait["args"], end.data["result"].get("structured")))
    assert asked == [({"x": 5}, None), ({"x": 1}, {"a": "b"})]
