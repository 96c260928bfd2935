"""What a key of a tree is, where it comes from, and why."""

from __future__ import annotations

from pathlib import Path

import pytest

from headgate.compile.compiler import Compiled, Compiler
from headgate.compile.explain import Explained, explain, parse_path
from headgate.core.errors import NotFound
from headgate.kinds import DEFAULT_KINDS
from headgate.testing.harness import write_tree

FILES = {
    "gateway.toml": """\
version = 1
default_agent = "helper"
[server]
port = "${env:PORT:-8000}"
[auth.keys.me]
key = "a-literal-key"
[providers.default]
kind = "auto"
[models.fast]
provider = "default"
[limits]
turns = 10
""",
    "agents/helper.md": (
        '---\ndescription: Helps.\nmodel: fast\ntools: ["get_*"]\nmax_turns: 30\ntimeout: 5m\n---\n'
        "You help. {{ include:tone }}\n"
    ),
    "agents/plain.md": "---\ndescription: Helps.\n---\nYou help.\n",
    "fragments/tone.md": "Be brief.\n",
    "tools/get_plan.yaml": (
        "kind: http\ndescription: A plan.\nrequest:\n  url: https://crm.example.com/\n"
        '  headers: {X-Team: "team ${env:TEAM}"}\nauth: {type: bearer, token: "literal"}\n'
    ),
}


@pytest.fixture
def compiled(tmp_path: Path) -> Compiled:
    """The tree, in an environment with one model provider."""
    environ = {"ANTHROPIC_API_KEY": "sk-of-the-tests", "TEAM": "ops"}
    return Compiler(write_tree(tmp_path, FILES), DEFAULT_KINDS, environ).compile()


def place(found: Explained) -> str:
    """Where the key is written."""
    return str(found.place or "")


def test_a_written_key(compiled: Compiled) -> None:
    """Its value, its place, its default, and what an edit of it costs."""
    found = explain(compiled, "agents.helper.timeout")
    assert (found.value, found.origin, place(found)) == ("5m", "written", "agents/helper.md:6:1")
    assert (found.default, found.reload, found.description) == ("10m", "hot", "Wall time of one run.")


@pytest.mark.parametrize(
    ("path", "value", "origin"),
    [
        ("agents.plain.timeout", "10m", "default"),
        ("server.host", "127.0.0.1", "default"),
        ("agents.plain.budget_usd", None, "not set"),
        ("providers.default.turn_timeout", "10m", "default"),
        ("tools.get_plan.request.method", "GET", "default"),
    ],
)
def test_a_key_that_is_not_written(compiled: Compiled, path: str, value: object, origin: str) -> None:
    """It has its default, as a manifest would write it, or no value at all."""
    found = explain(compiled, path)
    assert (found.value, found.origin, found.place) == (value, origin, None)


def test_the_class_of_a_reload(compiled: Compiled) -> None:
    """A key costs what its table costs."""
    assert explain(compiled, "server.port").reload == "restart"
    assert explain(compiled, "egress.allow").reload == "subsystem"


def test_a_limit_that_caps(compiled: Compiled) -> None:
    """The value is the one that counts, and the limit is named; of a default, too."""
    found = explain(compiled, "agents.helper.max_turns")
    assert (found.value, found.notes) == (10, ("limits.turns caps it at 10",))
    assert explain(compiled, "agents.plain.max_turns").value == 10


def test_what_auto_and_aliases_stand_for(compiled: Compiled) -> None:
    """From the agent's word to the model that is asked."""
    found = explain(compiled, "agents.helper.model")
    assert found.notes[:2] == (
        "fast stands for model auto of provider default",
        "kind auto chose anthropic, by what the environment holds",
    )
    model = explain(compiled, "providers.default.model")
    assert model.value
    assert found.notes[2] == f"auto is {model.value}, the provider's own model"
    assert explain(compiled, "providers.default.kind").value == "anthropic"
    assert explain(compiled, "agents.plain.model").notes[0].startswith("without it, the agent has model auto")


def test_what_globs_cover(compiled: Compiled) -> None:
    """Patterns are followed by the tools that they offer."""
    assert explain(compiled, "agents.helper.tools").notes == ("of tools/ it offers get_plan",)


def test_prompts_and_their_fragments(compiled: Compiled) -> None:
    """The prompt is explained like a key, with the fragments that it includes."""
    found = explain(compiled, "agents.helper.prompt")
    assert (found.notes, place(found)) == (("includes fragments/tone.md",), "agents/helper.md:8:1")


@pytest.mark.parametrize(
    ("path", "written"),
    [
        ("auth.keys.me.key", None),
        ("server.port", "${env:PORT:-8000}"),
        ("tools.get_plan.request.headers.X-Team", "team ${env:TEAM}"),
        ("tools.get_plan.auth.token", None),
    ],
)
def test_secrets_are_not_shown(compiled: Compiled, path: str, written: str | None) -> None:
    """What came from outside and what is secret is redacted; what refers to the outside is shown as it is written."""
    found = explain(compiled, path)
    assert (found.value, found.written) == ("[redacted]", written)


def test_secrets_in_tables_are_not_shown(compiled: Compiled) -> None:
    """A table shows all but them."""
    assert explain(compiled, "auth.keys.me").value == {"key": "[redacted]"}
    assert explain(compiled, "tools.get_plan.auth").value == {"type": "bearer", "token": "[redacted]"}


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("server.prot", "there is no key server.prot; did you mean server.port?"),
        ("agents.helpr.tools", "no agent is called 'helpr'; did you mean agents.helper?"),
        ("agents.helper.tool", "there is no key agents.helper.tool; did you mean agents.helper.tools?"),
        ("tool.get_plan.request", "there is no key tool; did you mean tools?"),
        ("tools.get_plan.request.methd", "there is no key tools.get_plan.request.methd; did you mean "),
        ("server.port.x", "there is no key server.port.x; known there: nothing"),
        ("agents", "name one of the agents; there are: helper, plain"),
        ("", "the path is empty"),
    ],
)
def test_paths_that_lead_nowhere(compiled: Compiled, path: str, said: str) -> None:
    """The first part that is wrong is named, with what was probably meant."""
    with pytest.raises(NotFound) as raised:
        explain(compiled, path)
    assert raised.value.message.startswith(said)


def test_paths() -> None:
    """A name with dots is quoted, and items of lists are counted from 0."""
    assert parse_path('a."b.c".d[2]') == ("a", "b.c", "d", 2)


POLICIES = """\
[approvals.reads]
tools = ["get_*"]
decide = "ask"
[approvals.careful]
tools = ["*"]
decide = "allow"
apply = "named"
[approvals.closed]
tools = ["get_plan"]
decide = "deny"
apply = "named"
"""


CONDITIONS = """\
[approvals.own]
tools = ["get_*"]
decide = "allow"
when = "agent.name == 'helper'"
[approvals.soon]
tools = ["*"]
decide = "deny"
mode = "warn"
[approvals.rest]
tools = ["*"]
decide = "ask"
"""


@pytest.mark.parametrize(
    ("toml", "expected"),
    [
        (CONDITIONS, "get_plan is decided call by call: "),
        (CONDITIONS.replace('"allow"', '"ask"'), "get_plan is held until somebody answers: "),
        (CONDITIONS.replace('"ask"', '"allow"'), "get_plan may be called: "),
    ],
)
def test_conditions_and_modes(tmp_path: Path, toml: str, expected: str) -> None:
    """What is so of every call is said; otherwise the conditions are, and what policies would do that do not count."""
    files = {**FILES, "gateway.toml": FILES["gateway.toml"] + toml}
    compiled = Compiler(write_tree(tmp_path, files), DEFAULT_KINDS, {"TEAM": "ops"}).compile()
    (note,) = [each for each in explain(compiled, "agents.helper.tools").notes if each.startswith(expected)]
    assert "says allow when agent.name == 'helper'," in note or "says ask when agent.name == 'helper'," in note
    assert "approvals.soon (gateway.toml:17:12) would say deny (mode warn), approvals.rest" in note


def test_what_holds_a_tool(tmp_path: Path) -> None:
    """Each policy is named with what it says and where it is brought in; of profiles, what they add."""
    agent = FILES["agents/helper.md"].replace(
        "model: fast\n", "model: fast\napprovals: [careful]\nprofiles: {shut: {approvals: [closed]}, brief: {}}\n"
    )
    files = {**FILES, "gateway.toml": FILES["gateway.toml"] + POLICIES, "agents/helper.md": agent}
    compiled = Compiler(write_tree(tmp_path, files), DEFAULT_KINDS, {"TEAM": "ops"}).compile()
    layers = "approvals.reads (gateway.toml:13:12) says ask, approvals.careful (agents/helper.md:4:13) says allow"
    said = (
        f"get_plan is held until somebody answers: {layers}",
        f"get_plan is refused under profile shut: {layers}, approvals.closed (agents/helper.md:5:31) says deny",
    )
    assert explain(compiled, "agents.helper.tools").notes == ("of tools/ it offers get_plan", *said)
    assert explain(compiled, "agents.helper.approvals").notes == said
    assert explain(compiled, "agents.plain.tools").notes == ()


SERVED = {
    **FILES,
    "gateway.toml": FILES["gateway.toml"]
    + '[mcp]\nfrom_api = ["crm"]\n[mcp.servers.files]\ncommand = "npx"\nallow = ["read_*"]\ndeny = ["read_secret"]\n'
    '[mcp.servers.web]\nurl = "https://mcp.example.com"\nprefix = "w"\n[mcp.servers.own]\ncommand = "uvx"\n'
    '[mcp.servers.idle]\ncommand = "uvx"\nenabled = false\n',
    "agents/helper.md": (
        "---\ndescription: Helps.\nmcp_servers: [files, crm]\ntools: [files__read_a, get_plan]\n---\nYou help.\n"
    ),
    "agents/plain.md": "---\ndescription: Helps.\nmcp_servers: [own]\n---\nYou help.\n",
}


def test_the_servers_of_an_agent(tmp_path: Path) -> None:
    """Where each server is declared whose tools it is offered, and what narrows them."""
    compiled = Compiler(write_tree(tmp_path, SERVED), DEFAULT_KINDS, {}).compile()
    found = {name: explain(compiled, f"agents.{name}.tools").contributions for name in ("helper", "plain")}
    shown = {name: [(each.layer, each.place, each.says) for each in every] for name, every in found.items()}
    web = ("MCP server web", "gateway.toml:19:14", "offers w__*; for all agents, since none names it")
    assert shown == {
        "helper": [
            ("agent", "agents/helper.md:4:1", "offers files__read_a, get_plan"),
            ("agent", "agents/helper.md:3:1", "has MCP servers files, crm"),
            ("MCP server files", "gateway.toml:15:14", "offers files__read_a; allow read_*; deny read_secret"),
            web,
            ("MCP server crm", "gateway.toml:14:13", "offers crm__*; it is made through the API, and not known here"),
        ],
        "plain": [
            ("agent", "agents/plain.md:3:1", "has MCP servers own"),
            web,
            ("MCP server own", "gateway.toml:22:14", "offers own__*"),
        ],
    }
