"""What interceptors decide is told to the client and counted, in every mode."""

from __future__ import annotations

import json

from headgate.testing.harness import live
from tests.conftest import Tree

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
            "/v1/agents/helper/invoke", headers=gateway.headers, json={"message": "Add."}, timeout=10
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
