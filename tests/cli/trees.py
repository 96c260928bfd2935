"""The tree that the tests of `chat` and `run` talk to, and what its script says."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from pathlib import Path
from typing import Any

from headgate.testing.anthropic_api import AnthropicApi
from headgate.testing.harness import KEY, agent_md, gateway_toml, write_tree

SCRIPT = """\
- {when: {user_contains: compute}, text: "Let me compute. ", calls: [
    {call: calculate, args: {expression: "1+2"}}, {call: calculate, args: {expression: "1+/"}}]}
- {when: {result_contains: '"exact":"3"'}, text: "It is 3."}
- {when: {user_contains: flaky}, error: 529}
- {when: {user_contains: flaky}, text: "Third time lucky."}
- {when: {user_contains: broken}, error: 400}
- {when: {user_contains: endless}, call: calculate, args: {expression: "1"}}
- {when: {user_contains: slow}, delay: 20s, text: "one two"}
- {when: {user_contains: begun}, text: "Begun. ", call: calculate, args: {expression: "2"}}
- {when: {result_contains: '"exact":"2"'}, delay: 20s, text: "never never"}
- {when: {user_contains: escape}, text: "red \\e[31mtext"}
- {when: {user_contains: think}, thinking: "deep thoughts", text: "Thought."}
- {when: {user_contains: again}, text: "You said: {{ user }}"}
- {text: "Hello."}
"""
CALCULATE = """\
kind: function
description: Computes.
call: headgate.toolbox.arithmetic:calculate
annotations: {read_only: true, open_world: false}
"""
FUNCTIONS = '[functions]\npackages = ["headgate.toolbox"]\n'
INPUT = {"type": "object", "properties": {"ticket": {"type": "string"}}, "required": ["ticket"]}
KEYS = {"HEADGATE_API_KEY": KEY}


def tree(root: Path, extra: str = "", *, provider: str = "", **keys: object) -> Path:
    """A tree with the agents `helper` (with a tool), `strict` (two turns) and `typed` (with an input)."""
    toml = gateway_toml(FUNCTIONS + extra, provider=provider) if provider else gateway_toml(FUNCTIONS + extra)
    files = {
        "gateway.toml": toml.replace('name = "test"', 'name = "test"\ndefault_agent = "helper"'),
        "script.yaml": SCRIPT,
        "tools/calculate.yaml": CALCULATE,
        "agents/helper.md": agent_md(tools=["calculate"], profiles={"brief": {"max_turns": 1}}, **keys),
        "agents/strict.md": agent_md(tools=["calculate"], max_turns=1),
        "agents/typed.md": agent_md("Ticket {{ input.ticket }}.", input=INPUT),
    }
    return write_tree(root, files)


def anthropic(api: AnthropicApi) -> str:
    """The provider that asks the mock."""
    return f'kind = "anthropic"\napi_key = "sk-test"\nbase_url = "{api.url}"\nretry = {{max = 1, backoff = "1ms"}}'


HELD = """\
- {when: {user_contains: compute}, text: "Let me. ", call: calculate, args: {expression: "1+2"}}
- {when: {user_contains: both}, calls: [
    {call: calculate, args: {expression: "1+2"}}, {call: calculate, args: {expression: "2+2"}}]}
- {when: {user_contains: pick}, call: pick_file}
- {when: {result_contains: user_denied}, text: "Then not."}
- {when: {result_contains: approval_timeout}, text: "Nobody came."}
- {when: {result_contains: not_supported}, text: "You pick."}
- {when: {result_contains: exact}, text: "Computed."}
- {text: "Hello."}
"""
TITLED = {"type": "object", "properties": {"expression": {"type": "string", "title": "The sum"}}}


def held(root: Path, policy: str = 'remember = "session"', extra: str = "") -> Path:
    """A tree with the agent `helper`, whose tool `calculate` needs an approval, and whose `pick_file` a front end."""
    policies = f'[approvals.sums]\ntools = ["calculate"]\ndecide = "ask"\n{policy}\n'
    toml = gateway_toml(FUNCTIONS + policies + extra)
    files = {
        "gateway.toml": toml.replace('name = "test"', 'name = "test"\ndefault_agent = "helper"'),
        "script.yaml": HELD,
        "tools/calculate.yaml": f"{CALCULATE}input: {json.dumps(TITLED)}\n",
        "tools/pick_file.yaml": "kind: client\ndescription: Lets the person pick a file.\n",
        "agents/helper.md": agent_md(tools=["calculate", "pick_file"]),
    }
    return write_tree(root, files)


def rows(root: Path, sql: str) -> list[tuple[Any, ...]]:
    """What the ledger of the tree answers."""
    with contextlib.closing(sqlite3.connect(root / ".headgate" / "state.db")) as db:
        return db.execute(sql).fetchall()


def change(root: Path, sql: str) -> None:
    """Changes the ledger of a tree that nobody serves."""
    with contextlib.closing(sqlite3.connect(root / ".headgate" / "state.db")) as db, db:
        db.execute(sql)


RUNS = "SELECT state FROM runs ORDER BY created_at"
WAITS = "SELECT state FROM waits ORDER BY created_at"
