"""Interceptors of a tree: shared while their table is the same, in the order of the file, explained by their places."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from headgate.compile.compiler import Compiler
from headgate.compile.explain import explain
from headgate.compile.plan import Snapshot
from headgate.interceptors import INTERCEPTORS
from headgate.kinds import DEFAULT_KINDS
from headgate.testing.harness import write_tree
from headgate.testing.interceptor_kit import Listener, calling
from tests.compile.probes import GATEWAY, SCRIPTED, Bench, done

SLOW = '[interceptors.slow]\nkind = "rate_limit"\nlimit = "1/h"\n'
SHORT = '[interceptors.short]\nkind = "truncate"\nmax = "{0}B"\n'
REFUSING = '[interceptors.{0}]\nkind = "transform"\narguments = "length(@.{0})"\n'


def bench_with(bench: Bench, tables: str) -> Bench:
    """The bench with these interceptors."""
    bench.compiler = Compiler(bench.root, replace(bench.kinds, interceptors=INTERCEPTORS), bench.environ)
    return tables_of(bench, tables)


def tables_of(bench: Bench, tables: str) -> Bench:
    """The bench with other interceptors."""
    bench.write({"gateway.toml": GATEWAY + SCRIPTED + tables})
    return bench


def held(snapshot: Snapshot) -> dict[str, object]:
    """The open interceptors by name."""
    return {name: each.value for each in snapshot.resources for family, name in [each.identity] if family[0] == "i"}


async def refusal(snapshot: Snapshot) -> str:
    """Why a call of a tool is refused."""
    result = await snapshot.agents["helper"].tools["first"].call(calling("first"), Listener().call())
    return result.error.message if result.error else ""


async def refuser(snapshot: Snapshot) -> str:
    """Which interceptor refuses a call of a tool."""
    listener = Listener()
    await snapshot.agents["helper"].tools["first"].call(calling("first"), listener.call())
    return listener.decisions[0][0]


async def test_an_interceptor_lives_as_long_as_its_table(bench: Bench) -> None:
    """An edit of a neighbour, of a tool or of an agent leaves what it counts; its own edit does not."""
    first = await bench_with(bench, SLOW + SHORT.format(5)).build()
    before = held(first)
    assert await refusal(first) == ""
    second = await tables_of(bench, SHORT.format(6) + "[models.fast]\nprovider = 'default'\n" + SLOW).build(first)
    after = held(second)
    assert (after["slow"] is before["slow"], after["short"] is before["short"]) == (True, False)
    assert "try again in" in await refusal(second)
    third = await tables_of(bench, SLOW.replace("1/h", "2/h") + SHORT.format(6)).build(second)
    assert held(third)["slow"] is not after["slow"]
    assert await refusal(third) == ""
    await done(third)


async def test_another_order_is_an_edit(bench: Bench) -> None:
    """Nothing is opened anew, and the other one is outermost and refuses; the difference names the order."""
    one, two = REFUSING.format("one"), REFUSING.format("two")
    first = await bench_with(bench, one + two).build()
    before = held(first)
    assert await refuser(first) == "one"
    second = await tables_of(bench, two + one).build(first)
    assert await refuser(second) == "two"
    assert held(second) == before
    changed = {name for name, print_ in second.fingerprints.items() if first.fingerprints.get(name) != print_}
    assert (first.revision != second.revision, changed) == (True, {"gateway/order of interceptors"})
    await done(second)


async def test_agents_and_tools_that_are_not_covered(bench: Bench) -> None:
    """They have the bare tool: the very same call for all of them."""
    table = SLOW + 'tools = ["first"]\nagents = ["helper"]\n'
    bench.write({"agents/other.md": "---\ndescription: Other.\ntools: ['*']\n---\nYou differ.\n"})
    bench_with(bench, table).write({"gateway.toml": f'default_agent = "helper"\n{GATEWAY}{SCRIPTED}{table}'})
    snapshot = await bench.build()
    helper, other = (snapshot.agents[name].tools for name in ("helper", "other"))
    assert helper["second"] is other["second"]
    assert helper["first"].call is not other["first"].call
    await done(snapshot)


def test_explain_names_the_interceptors_of_a_tool(tmp_path: Path) -> None:
    """Outermost first, each with its place, its mode and its condition; those of turns stand with the model."""
    tables = (
        SLOW + "mode = 'audit'\nwhen = 'tool.destructive'\n"
        '[interceptors.personal]\nkind = "redact"\ndetect = ["email"]\nagents = ["helper"]\n'
        '[interceptors.short]\nkind = "truncate"\nmax_items = 3\ntools = ["get_*"]\n'
    )
    tool = "kind: http\ndescription: The plan.\nrequest: {url: https://crm.example.com/plan}\n"
    files = {
        "gateway.toml": GATEWAY + SCRIPTED + tables,
        "agents/helper.md": "---\ndescription: Helps.\ntools: [get_plan, set_plan]\n---\nYou help.\n",
        "tools/get_plan.yaml": tool,
        "tools/set_plan.yaml": tool,
    }
    compiled = Compiler(write_tree(tmp_path, files), DEFAULT_KINDS, {}).compile()
    both = (
        "interceptors.slow (gateway.toml:7:15, mode audit, when tool.destructive), "
        "interceptors.personal (gateway.toml:12:15)"
    )
    assert explain(compiled, "agents.helper.tools").notes == (
        f"get_plan stands behind {both}, interceptors.short (gateway.toml:16:15)",
        f"set_plan stands behind {both}",
    )
    assert (
        "turns stand behind interceptors.personal (gateway.toml:12:15)"
        in explain(compiled, "agents.helper.model").notes
    )
