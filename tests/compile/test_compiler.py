"""The pipeline as a whole: revisions, caching, and what depends on the environment."""

from __future__ import annotations

from pathlib import Path

from headgate.compile.compiler import Compiler
from headgate.compile.diff import NOTHING, Difference, difference
from headgate.kinds import DEFAULT_KINDS
from headgate.testing.harness import write_tree
from tests.compile.probes import AGENT, GATEWAY, SCRIPTED, Bench, probe
from tests.manifests.golden import FOLDER, KINDS


def test_an_unchanged_file_is_not_read_again(bench: Bench) -> None:
    """The typed objects of a file are the same objects until its bytes or its references change."""
    first = bench.compile().draft
    bench.write({"tools/first.yaml": probe(value="new")})
    second = bench.compile().draft
    assert second.tools["second"].spec is first.tools["second"].spec
    assert second.agents["helper"].spec is first.agents["helper"].spec
    assert second.tools["first"].spec.value == "new"


def test_a_changed_variable_is_read_again(bench: Bench) -> None:
    """What an earlier value of a variable gave is not kept."""
    before = bench.compile().draft.tools["second"].spec.value
    bench.environ["SECOND"] = "other"
    assert (before, bench.compile().draft.tools["second"].spec.value) == ("none", "other")


def test_findings_of_an_unchanged_file_stay(bench: Bench) -> None:
    """A broken file that is not edited is reported every time, and no longer once it is mended."""
    bench.write({"tools/first.yaml": probe(vlaue="x")})
    first = bench.compile().diagnostics
    assert [each.code for each in first] == ["HG1003"]
    assert bench.compile().diagnostics == first
    bench.write({"tools/first.yaml": probe()})
    assert bench.compile().ok


def test_the_revision_depends_on_the_files_alone(bench: Bench, tmp_path: Path) -> None:
    """A file that is named no longer does not count any more, whatever was compiled before."""
    front = AGENT.replace("tools:", "context: [rules.md]\ntools:")
    bench.write({"agents/helper.md": front, "rules.md": "Be kind."})
    named = bench.compile().revision
    bench.write({"agents/helper.md": AGENT})
    unnamed = bench.compile().revision
    assert unnamed == Bench(tmp_path).compile().revision != named
    assert bench.compile().revision == unnamed


def test_a_named_file_is_part_of_the_revision_at_once(bench: Bench) -> None:
    """The first compilation that names a file has its bytes."""
    bench.write({"agents/helper.md": AGENT.replace("tools:", "context: [rules.md]\ntools:"), "rules.md": "Be kind."})
    compiled = bench.compile()
    assert compiled.ok
    assert compiled.draft.tree.files["rules.md"] == b"Be kind."


def test_a_directory_that_is_missing_is_a_finding(tmp_path: Path) -> None:
    """Nothing is raised for a tree that does not exist."""
    compiled = Compiler(tmp_path / "nowhere", DEFAULT_KINDS, {}).compile()
    assert [(each.code, each.path) for each in compiled.diagnostics] == [("HG1002", ".")]


def test_warnings_do_not_stop_a_revision(tmp_path: Path) -> None:
    """A glob that matches nothing is said and served."""
    write_tree(tmp_path, {"gateway.toml": GATEWAY + SCRIPTED, "agents/helper.md": AGENT})
    compiled = Compiler(tmp_path, DEFAULT_KINDS, {}).compile()
    assert compiled.ok
    assert [each.code for each in compiled.warnings] == ["HG1202"]


def test_the_sample_and_the_reference_deployment_are_in_order() -> None:
    """Neither tree of the repository gives a finding, with any kinds; the sample holds more than it uses."""
    for kinds in (DEFAULT_KINDS, KINDS):
        assert Compiler(FOLDER.parent.parent, kinds, {}).compile().diagnostics == ()
        sample = Compiler(FOLDER / "sample", kinds, {}).compile()
        assert {each.code for each in sample.diagnostics} == {"HG1205"}


def test_a_difference_names_objects() -> None:
    """What was added, changed and removed, each sorted; nothing at all is false."""
    found = difference({"tools/a": "1", "tools/b": "1", "agents/z": "1"}, {"tools/b": "2", "agents/z": "1", "x": "1"})
    assert found == Difference(added=("x",), changed=("tools/b",), removed=("tools/a",))
    assert difference({"a": "1"}, {"a": "1"}) == NOTHING
    assert not NOTHING


async def test_an_edit_changes_the_fingerprints_of_what_it_touches(bench: Bench) -> None:
    """The snapshot's fingerprints say which objects an edit changed."""
    first = await bench.build()
    bench.write({"agents/helper.md": AGENT + "More.\n", "fragments/tone.md": "Plain."})
    bench.write({"gateway.toml": GATEWAY + SCRIPTED + "[limits]\nturns = 5\n"})
    second = await bench.build(first)
    found = difference(first.fingerprints, second.fingerprints)
    assert found == Difference(("fragments/tone", "gateway/limits"), ("agents/helper",))
    second.retire()
    await second.closed()


def test_a_given_tree_is_compiled_as_it_is(bench: Bench) -> None:
    """Of the disk only files that are named anew are taken: what changed since the tree was read waits its turn."""
    bench.write({"agents/helper.md": AGENT.replace("tools:", "context: [rules.md]\ntools:"), "rules.md": "Be kind."})
    tree = bench.compiler.scan()
    bench.write({"tools/first.yaml": probe(value="later"), "tools/third.yaml": probe()})
    draft = bench.compiler.compile(tree).draft
    assert (draft.tools["first"].spec.value, sorted(draft.tools)) == ("", ["first", "second"])
    assert draft.tree.files["rules.md"] == b"Be kind."
    assert bench.compile().draft.tools["first"].spec.value == "later"
