"""Inline tests of agents meet the policies of their tree: approvals, and interceptors that need nothing but the run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from headgate.testing.harness import gateway_toml
from tests.engine.trials import FUNCTIONS, PROVIDER, agent, suite, told, tried

KEY = "ghp_A1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6Q7r8"
CALLED: list[dict[str, Any]] = [{"call": "lookup", "args": {"name": "ann@example.com"}}, {"text": "Done."}]


def tree(policies: str, **keys: Any) -> dict[str, str]:
    """An agent whose test looks a customer up, behind these policies."""
    own = {"script": CALLED, "mocks": {"lookup": {"plan": "gold", "mail": "ann@example.com"}}, **keys}
    return {"gateway.toml": gateway_toml(FUNCTIONS + policies, provider=PROVIDER), **agent(**own)}


@pytest.mark.parametrize(
    ("policies", "expect"),
    [
        ('[interceptors.it]\nkind = "guard"\non = ["arguments"]\npatterns = ["ann"]\n', "guard_denied"),
        ('[interceptors.it]\nkind = "transform"\narguments = "{name: `1`}"\n', "invalid_arguments"),
        ('[approvals.it]\ntools = ["lookup"]\ndecide = "deny"\n', "policy_denied"),
        ('[interceptors.it]\nkind = "taint"\nsinks = ["lookup"]\nsources = ["add"]\n', None),
        ('[interceptors.it]\nkind = "guard"\non = ["arguments"]\npatterns = ["ann"]\nmode = "audit"\n', None),
        ('[interceptors.it]\nkind = "guard"\non = ["arguments"]\npatterns = ["ann"]\nagents = ["x*"]\n', None),
    ],
)
async def test_what_a_policy_refuses(tmp_path: Path, policies: str, expect: str | None) -> None:
    """A call that is refused is a failure unless it is expected, and is no call of its tool."""
    call = {"name": "lookup", "error": expect} if expect else "lookup"
    assert await tried(tmp_path / "a", tree(policies, expect={"calls": [call]})) == []
    found = await tried(tmp_path / "b", tree(policies, expect={"calls": ["lookup"]}))
    assert [expect in each for each in found] == ([True] if expect else [])
    found = await tried(tmp_path / "c", tree(policies, expect={"no_calls": ["lookup"]}))
    assert bool(found) == (expect is None)


async def test_what_a_policy_changes(tmp_path: Path) -> None:
    """The model and the user see what interceptors have made of results and texts."""
    policies = '[interceptors.it]\nkind = "redact"\ndetect = ["email"]\n[interceptors.leaks]\nkind = "secrets_scan"\n'
    script = [CALLED[0], {"text": "ann@example.com, {{ result.mail }}, {{ result.key }}"}]
    mocks = {"lookup": {"mail": "ann@example.com", "key": KEY}}
    keys: dict[str, Any] = {"script": script, "mocks": mocks}
    expect = {"text_equals": "[email], [email], [secret:github]"}
    assert await tried(tmp_path, tree(policies, **keys, expect=expect)) == []


async def test_a_tainted_run(tmp_path: Path) -> None:
    """Taint goes from turn to turn."""
    policies = '[interceptors.it]\nkind = "taint"\nsources = ["lookup"]\nsinks = ["add"]\n'
    script = [CALLED[0], {"call": "add", "args": {"a": 1, "b": 2}}, {"text": "Done."}]
    expect = {"calls": ["lookup", {"name": "add", "error": "tainted"}], "no_calls": []}
    assert await tried(tmp_path, tree(policies, script=script, expect=expect)) == []


async def test_a_refused_question(tmp_path: Path) -> None:
    """The message of a guard stands in place of the turn, which no model makes."""
    policies = '[interceptors.it]\nkind = "guard"\non = ["input"]\npatterns = ["hi"]\nmessage = "Not here."\n'
    assert await tried(tmp_path, tree(policies, expect={"text_equals": "Not here.", "calls": []})) == []


async def test_what_remembers_or_leaves_the_process_is_not_there(tmp_path: Path) -> None:
    """Neither rates and budgets, nor services and models that judge."""
    policies = (
        '[interceptors.rate]\nkind = "rate_limit"\nlimit = "1/h"\n[interceptors.money]\nkind = "budget"\ncalls = 1\n'
        '[interceptors.service]\nkind = "webhook"\nurl = "https://127.0.0.1:1/x"\nsecret = "0123456789abcdef"\n'
        '[interceptors.judge]\nkind = "guard"\non = ["output"]\nmodel = "default/auto"\nprompt = "Refuse."\n'
    )
    script = [CALLED[0], CALLED[0], CALLED[1]]
    assert await tried(tmp_path, tree(policies, script=script, expect={"calls": ["lookup", "lookup"]})) == []


async def test_an_edit_of_an_interceptor_asks_for_the_tests_again(tmp_path: Path) -> None:
    """What passed before it is not what stands now."""
    policies = '[interceptors.it]\nkind = "guard"\non = ["arguments"]\npatterns = ["nobody"]\n'
    first = suite(tmp_path / "a", tree(policies))
    assert told(await first.run()) == []
    second = suite(tmp_path / "b", tree(policies.replace("nobody", "ann")))
    left = second.without(frozenset(case.stamp for case in first.cases))
    assert len(told(await left.run())) == 1
