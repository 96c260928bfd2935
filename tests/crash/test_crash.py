"""Gateways are killed with SIGKILL at random points: nothing is lost, nothing is done twice, every run ends."""

from __future__ import annotations

import asyncio
import os
import secrets
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
import pytest

ROOT = Path(__file__).parents[2]
KILLS = int(os.environ.get("HEADGATE_CRASH_KILLS", "200"))
SEED = int(os.environ.get("HEADGATE_CRASH_SEED", "0")) or secrets.randbelow(1_000_000)
"""A failure says which seed it had; what was drawn is the same again, the moments of the machine are not."""
WORKERS = 2


async def killed(folder: Path, seed: int, kills: int) -> list[dict[str, Any]]:
    """The results of a nursery, one for each series of kills."""
    nursery = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.crash.nursery", str(folder), str(seed), str(kills),
        cwd=ROOT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, errors = await nursery.communicate()
    assert nursery.returncode == 0, (out + errors).decode()
    return [msgspec.json.decode(line) for line in out.splitlines()]


@pytest.mark.timeout(3600)  # two hundred gateways have much to do where others do, too
async def test_gateways_that_are_killed(tmp_path: Path) -> None:
    """No committed event is lost or told twice, no call is made twice unasked, and each run ends as if undisturbed."""
    share = -(-KILLS // WORKERS)
    folders = [tmp_path / str(n) for n in range(WORKERS)]
    for folder in folders:
        folder.mkdir()
    nurseries = (killed(folder, SEED + n * 10_000_000, share) for n, folder in enumerate(folders))
    series = [each for results in await asyncio.gather(*nurseries) for each in results]
    wrong = [f"seed {each['seed']}: {problem}" for each in series for problem in each["problems"]]
    assert not wrong, "\n".join(wrong[:50])
    assert sum(each["kills"] for each in series) >= KILLS
    assert sum(each["busy"] for each in series) > 0.8 * KILLS, "most kills should meet runs in progress"
    met: Counter[str] = sum((Counter(each["met"]) for each in series), Counter())
    if KILLS >= 200:  # enough for everything to have happened
        for what in ("turns made again", "outcomes unknown", "retries", "approval approved", "client_tool answered"):
            assert met[what], met
