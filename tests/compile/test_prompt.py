"""Prompts: fragments in place, files added, absent values left out."""

from __future__ import annotations

from headgate.compile.prompt import Prompt, compile_prompt
from headgate.manifest.source import Document
from tests.compile.probes import Bench, done


def _fragment(text: str) -> tuple[Document, str]:
    return Document("fragments/x.md", "markdown", {}, "", text), text


def test_paths_are_filled_in() -> None:
    """Values stand where their paths were; what is not text is written as JSON."""
    prompt = compile_prompt("Today is {{ today }}: {{ input.lines }}", {}, {})
    assert prompt.render({"today": "2026-01-01", "input": {"lines": [1]}}) == "Today is 2026-01-01: [1]"


def test_absent_values_leave_nothing_behind() -> None:
    """A path that leads nowhere, or to null, renders as nothing."""
    assert compile_prompt("On {{ channel }}{{ input.a }}.", {}, {}).render({"channel": None}) == "On ."


def test_fragments_may_include_fragments() -> None:
    """An included text stands in place of its slot, without the blank around it."""
    fragments = {"outer": _fragment("\nOuter {{ include:inner }}\n"), "inner": _fragment("inner {{ now }}.\n\n")}
    assert compile_prompt("A {{ include:outer }} Z", fragments, {}).render({"now": "noon"}) == "A Outer inner noon. Z"


def test_context_files_follow_under_their_paths() -> None:
    """Their text is data: braces in it are no templates."""
    prompt = compile_prompt("You help.", {}, {"context/rules.md": "Say {{ nothing }}.\n"})
    assert prompt.render({}) == 'You help.\n\n<document path="context/rules.md">\nSay {{ nothing }}.\n</document>'


def test_an_extended_prompt_leaves_the_first_alone() -> None:
    """Channels and profiles add to a copy."""
    prompt = Prompt(("A",))
    assert (prompt.extended(["B", "C"]).render({}), prompt.render({})) == ("A\n\nB\n\nC", "A")
    assert prompt.extended([]) is prompt


async def test_a_snapshot_holds_the_compiled_prompt(bench: Bench) -> None:
    """Fragments and context files of the tree are in the plan."""
    agent = "---\ndescription: Helps.\ncontext: [context/a.md]\n---\nHi. {{ include:tone }}\n"
    bench.write({"agents/helper.md": agent, "fragments/tone.md": "Plain.", "context/a.md": "A"})
    snapshot = await bench.build()
    rendered = snapshot.agents["helper"].prompt.render({})
    assert rendered == 'Hi. Plain.\n\n<document path="context/a.md">\nA\n</document>'
    await done(snapshot)
