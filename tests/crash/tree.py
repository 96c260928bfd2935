"""What the gateways that are killed serve: an agent for each kind of run, each played by a script of its own."""

from __future__ import annotations

from pathlib import Path

from headgate.testing.harness import agent_md, gateway_toml, write_tree

SCRIPTS = {
    "text": """
- {thinking: I will say it., text: one two three four five six seven eight nine ten eleven twelve, delay: 1ms}
""",
    "tool": """
- {text: "I do it. ", call: once, args: {n: 1}, delay: 1ms}
- {text: That is done., delay: 1ms}
""",
    "parallel": """
- text: "All at once. "
  delay: 1ms
  calls:
    - {call: once, args: {n: 1}}
    - {call: repeat, args: {n: 2}}
    - {call: careful, args: {n: 3}}
    - {call: look, args: {n: 4}}
    - {call: once, args: {n: 5}}
- {text: All are done., delay: 1ms}
""",
    "turns": """
- {call: once, args: {n: 1}, delay: 1ms}
- {text: "Again. ", call: repeat, args: {n: 2}, delay: 1ms}
- {text: "And again. ", calls: [{call: careful, args: {n: 3}}, {call: look, args: {n: 4}}], delay: 1ms}
- {thinking: Enough., text: I have done it four times., delay: 1ms}
""",
    "approval": """
- {text: "May I? ", call: guarded, args: {n: 1}, delay: 1ms}
- {text: "And these? ", calls: [{call: guarded, args: {n: 2}}, {call: once, args: {n: 3}},
                                {call: guarded, args: {n: 13}}], delay: 1ms}
- {text: Thank you., delay: 1ms}
""",
    "client": """
- {text: "Choose. ", calls: [{call: choose, args: {n: 1}}, {call: once, args: {n: 2}},
                             {call: choose, args: {n: 3}}], delay: 1ms}
- {text: "Once more. ", call: choose, args: {n: 4}, delay: 1ms}
- {text: Well chosen., delay: 1ms}
""",
}
"""What the model says, by agent. A call of `guarded` with `UNLUCKY` as its argument is denied."""
UNLUCKY = 13
MARKS = {"repeat": "{idempotent: true}", "look": "{read_only: true}"}
ONCE = frozenset({"once", "careful", "guarded"})
"""The tools that must not be called twice."""

_POLICIES = """
[functions]
packages = ["tests.crash.chores"]
[limits]
runs_per_key = 1000
[approvals.told]
tools = ["once"]
decide = "allow"
on_unknown_outcome = "tell_model"
[approvals.asked]
tools = ["careful"]
decide = "allow"
on_unknown_outcome = "ask"
[approvals.guard]
tools = ["guarded"]
decide = "ask"
"""
_CHOOSE = """kind: client
description: Lets a person choose.
input: {type: object, properties: {n: {type: integer}}, required: [n]}
"""


def plant(root: Path) -> Path:
    """Writes the tree."""
    files = {"tools/choose.yaml": _CHOOSE}
    tables = [_POLICIES]
    for name in (*ONCE, *MARKS):
        marks = f"annotations: {MARKS[name]}\n" if name in MARKS else ""
        files[f"tools/{name}.yaml"] = f"kind: function\ndescription: Does it.\ncall: tests.crash.chores:{name}\n{marks}"
    for name, script in SCRIPTS.items():
        files[f"{name}.yaml"] = script
        files[f"agents/{name}.md"] = agent_md(model=f"{name}/auto", tools=["*"])
        tables.append(f'[providers.{name}]\nkind = "scripted"\nscript = "{name}.yaml"\n')
    files["gateway.toml"] = gateway_toml(
        "\n".join(tables), top='default_agent = "text"', provider='kind = "scripted"\nscript = "text.yaml"'
    )
    return write_tree(root, files)
