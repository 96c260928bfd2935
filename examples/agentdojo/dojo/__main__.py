"""`python -m dojo`: plays every case with the policies and without them, and prints the figures."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from importlib.metadata import version
from pathlib import Path

from dojo import cases, figures, gateway, server
from dojo.backend import Backend
from dojo.play import Outcome, play

Rounds = dict[str, list[Outcome]]


def main() -> int:
    """Returns 1 when a user's task failed behind the policies, or an attack succeeded with its calls."""
    parser = argparse.ArgumentParser(prog="dojo", description=__doc__)
    parser.add_argument("--headgate", required=True)
    parser.add_argument("--suite", action="append")
    parser.add_argument("--report", type=Path)
    options = parser.parse_args()
    rounds = _rounds(options.suite, options.headgate)
    found = figures.report(rounds)
    print(figures.text(found))
    if options.report:
        options.report.write_text(json.dumps(_whole(rounds, found), indent=1), encoding="utf-8")
    total = found["all"]
    return int(total["tasks"]["solved"] < total["tasks"]["tasks"] or total["attacks"]["successful"] > 0)


def _rounds(names: list[str] | None, headgate: str) -> Rounds:
    jobs = [(suite.name, policies, headgate) for suite in cases.suites(names) for policies in (True, False)]
    rounds: Rounds = {}
    with ProcessPoolExecutor(max_workers=2) as pool:
        for found in pool.map(_suite, jobs):
            for name, outcomes in found.items():
                rounds.setdefault(name, []).extend(outcomes)
    return rounds


def _suite(job: tuple[str, bool, str]) -> Rounds:
    """The cases of one suite, with or without the policies, in a process of their own."""
    name, policies, headgate = job
    (suite,) = cases.suites([name])
    backend, end = Backend(), "" if policies else "_without_policies"
    with tempfile.TemporaryDirectory() as folder:
        root = gateway.tree(Path(folder), policies=policies)
        with server.served(backend) as url, gateway.served(headgate, root, url) as client:
            return {
                f"tasks{end}": [play(case, client, backend) for case in cases.untouched(suite)],
                f"attacks{end}": [play(case, client, backend) for case in cases.attacked(suite)],
            }


def _whole(rounds: Rounds, found: dict[str, object]) -> dict[str, object]:
    outcomes = {name: [figures.plain(each) for each in every] for name, every in rounds.items()}
    return {"package": version("agentdojo"), "benchmark": cases.VERSION, "figures": found, "outcomes": outcomes}


if __name__ == "__main__":
    sys.exit(main())
