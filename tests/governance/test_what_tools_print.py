"""What a running tool prints passes no interceptor that judges or shapes its result."""

from __future__ import annotations

from pathlib import Path

import pytest

from headgate.testing.harness import live
from tests.conftest import Tree
from tests.server.native import Caller

KEY = "ghp_A1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6Q7r8"
PRINTS = {
    "tools/leak.yaml": f'kind: command\ndescription: Prints.\nargv: [printf, "{KEY}\\n"]\n'
    "annotations: {read_only: true, open_world: false}\n"
}
SCRIPT = "- {call: leak, args: {}}\n- {text: Done}\n"
JUDGES = {
    "secrets_scan": '[interceptors.it]\nkind = "secrets_scan"\n',
    "secrets_scan, refusing": '[interceptors.it]\nkind = "secrets_scan"\nresults = "refuse"\n',
    "guard": '[interceptors.it]\nkind = "guard"\non = ["results"]\npatterns = ["ghp_"]\n',
    "transform": '[interceptors.it]\nkind = "transform"\nresult = "\'gone\'"\n',
    "webhook": '[interceptors.it]\nkind = "webhook"\nurl = "https://127.0.0.1:1/x"\nsecret = "0123456789abcdef"\n'
    'on = ["result"]\n',
}


async def told(root: Path) -> str:
    """All that a run tells, and what is kept of it."""
    async with live(root, watch=False) as gateway:
        caller = Caller(gateway)
        run = await caller.begin()
        frames = await caller.told(run)
        kept = await caller.ask("GET", f"/v1/runs/{run}/events?limit=200")
    return f"{frames} {kept}"


@pytest.mark.parametrize("name", JUDGES)
async def test_nothing_is_told_before_the_result_is_judged(tree: Tree, name: str) -> None:
    """Neither who follows the run nor its log gets what the result may not hold."""
    assert KEY not in await told(tree(SCRIPT, toml=JUDGES[name], files=PRINTS))


@pytest.mark.parametrize("mode", ["warn", "audit"])
async def test_what_is_only_watched_is_told(tree: Tree, mode: str) -> None:
    """Everything passes an interceptor that does not count."""
    assert "tool.output" in await told(tree(SCRIPT, toml=JUDGES["guard"] + f'mode = "{mode}"\n', files=PRINTS))


@pytest.mark.parametrize(
    "policy",
    ['kind = "secrets_scan"\nresults = "ignore"\n', 'kind = "guard"\non = ["arguments"]\npatterns = ["x"]\n'],
    ids=["secrets_scan", "guard"],
)
async def test_arguments_alone(tree: Tree, policy: str) -> None:
    """Who does not look at results has nothing to hold back."""
    assert "tool.output" in await told(tree(SCRIPT, toml=f"[interceptors.it]\n{policy}", files=PRINTS))
