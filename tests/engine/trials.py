"""What the tests of inline tests share: a tree, and what its tests come to."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from headgate.compile.compiler import Compiler
from headgate.engine.trial.suite import Suite
from headgate.engine.trial.verdict import Verdict
from headgate.kinds import DEFAULT_KINDS
from headgate.testing.harness import agent_md, gateway_toml, write_tree

PROVIDER = 'kind = "anthropic"\napi_key = "${env:ANTHROPIC_API_KEY:-none-at-all}"\nbase_url = "https://127.0.0.1:1"'
FUNCTIONS = '[functions]\npackages = ["tests.workshop", "headgate.toolbox"]\n'
LOOKUP = """\
kind: http
description: Looks a customer up.
input: {type: object, properties: {name: {type: string}}, required: [name]}
request: {url: "https://127.0.0.1:1/customers", query: {q: "{{ args.name }}"}}
output: "{plan: plan_name}"
"""
CALCULATE = """\
kind: function
description: Computes.
call: headgate.toolbox.arithmetic:calculate
annotations: {read_only: true, open_world: false}
"""
ADD = "kind: function\ndescription: Adds.\ncall: tests.workshop:add\n"


def suite(
    root: Path, files: Mapping[str, str], environ: Mapping[str, str] | None = None, *, skip: bool = False
) -> Suite:
    """The suite of a tree without errors."""
    base = {"gateway.toml": gateway_toml(FUNCTIONS, provider=PROVIDER), "agents/helper.md": agent_md()}
    compiler = Compiler(write_tree(root, {**base, **files}), DEFAULT_KINDS, environ or {}, skip_environment=skip)
    compiled = compiler.compile()
    assert compiled.ok, compiled.diagnostics
    return Suite.of(compiled.draft, environ or {})


async def tried(root: Path, files: Mapping[str, str], environ: Mapping[str, str] | None = None) -> list[str]:
    """What fails in the tree, without the paths."""
    return told(await suite(root, files, environ).run())


def told(verdicts: list[Verdict]) -> list[str]:
    """The findings of the verdicts, each as `line:column: code message; hint`."""
    found = [each for verdict in verdicts for each in verdict.diagnostics]
    return [
        f"{each.line}:{each.column}: {each.code} {each.message}{f'; {each.hint}' if each.hint else ''}"
        for each in found
    ]


def agent(prompt: str = "You help.", **keys: Any) -> dict[str, str]:
    """A tree whose agent has one test, called `t`, with these keys; `spec` holds those of the agent."""
    own = {"tools": ["lookup", "calculate", "add"], **keys.pop("spec", {})}
    test = {"name": "t", "given": {"user": "hi"}, "script": [{"text": "Hello."}], **keys}
    return {
        "tools/lookup.yaml": LOOKUP, "tools/calculate.yaml": CALCULATE, "tools/add.yaml": ADD,
        "agents/helper.md": agent_md(prompt, **own, tests=[test]),
    }  # fmt: skip


def tool(manifest: str, *tests: Mapping[str, Any]) -> dict[str, str]:
    """A tree with one tool and its tests."""
    return {"tools/it.yaml": f"{manifest}tests: {json.dumps(tests)}\n"}
