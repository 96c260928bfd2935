"""What interceptors decide is told to the client and counted, in every mode."""

from __future__ import annotations

import json

from headgate.testing.harness import live
from tests.conftest import Tree
from tests.server.native import Caller

TABLES = """
[interceptors.counted]
kind = "rate_limit"
limit = "1/h"
mode = "audit"
[interceptors.warned]
kind = "rate_limit"
limit = "1/h"
mode = "warn"
[interceptors.enforced]
kind = "rate_limit"
limit = "2/h"
[interceptors.unused]
kind = "redact"
detect = ["email"]
in = ["results"]
"""
SCRIPT = """
- calls: [{call: add, args: {a: 1, b: 2}}]
- calls: [{call: add, args: {a: 3, b: 4}}]
- calls: [{call: add, args: {a: 5, b: 6}}]
- text: Done.
"""


async def test_decisions(tree: Tree) -> None:
    """The counts have all of them, the events of the run those that are not only counted."""
    async with live(tree(SCRIPT, toml=TABLES), watch=False) as gateway:
        made = await gateway.http.post(
            "/v1/agents/helper/invoke", headers=gateway.headers, json={"message": "Add."}, timeout=60
        )
        assert made.status_code == 200, made.text
        found = (await gateway.http.get("/v1/policies", headers=gateway.headers)).json()
    assert [each["name"] for each in found["interceptors"]] == ["counted", "warned", "enforced", "unused"]
    assert found["interceptors"][1] == {"name": "warned", "kind": "rate_limit", "mode": "warn"}
    assert {(each["policy"], each["action"], each["mode"]): each["count"] for each in found["decisions"]} == {
        ("counted", "deny", "audit"): 2,
        ("enforced", "deny", "enforce"): 1,
        ("warned", "deny", "warn"): 2,
    }, json.dumps(found)


async def test_approvals_are_counted(tree: Tree) -> None:
    """What policies refuse and what they ask about, once for each call, however often it comes by."""
    toml = '[approvals.no]\ntools = ["add"]\nwhen = "args.a == 1"\ndecide = "deny"\n'
    toml += '[approvals.gate]\ntools = ["add"]\ndecide = "ask"\n'
    script = "- calls: [{call: add, args: {a: 1, b: 2}}, {call: add, args: {a: 3, b: 4}}]\n- {text: Done}\n"
    async with live(tree(script, toml=toml), watch=False) as gateway:
        caller = Caller(gateway)
        run, (wait,) = await caller.waiting()
        await caller.ask("POST", f"/v1/approvals/{wait['id']}", {"decision": "approve"})
        await caller.told(run)
        found = (await gateway.get("/v1/policies"))["decisions"]
    assert {(each["policy"], each["action"], each["mode"]): each["count"] for each in found} == {
        ("gate", "ask", "enforce"): 1, ("no", "deny", "enforce"): 1,
    }  # fmt: skip
