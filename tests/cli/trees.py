"""The tree that the tests of `chat` and `run` talk to, and what its script says."""

from __future__ import annotations

from pathlib import Path

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
