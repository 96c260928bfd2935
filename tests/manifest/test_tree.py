"""The scan of a tree: which files, which revision, which links."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from headgate.manifest.diagnostics import render_text
from headgate.manifest.tree import MAX_DEPTH, MAX_FILE_BYTES, MAX_FILES, Tree, scan


def plant(root: Path, *paths: str) -> Path:
    """A tree with a gateway.toml and these files, each holding its own path."""
    for path in ("gateway.toml", *paths):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(path)
    return root


def found(tree: Tree) -> list[tuple[str, str]]:
    """Path and message of every finding."""
    return [(each.path, each.message) for each in tree.diagnostics]


def test_the_files_of_a_tree_are_read_sorted(tmp_path: Path) -> None:
    """The root file, layers and everything below the folders; nothing else."""
    wanted = ["agents/x/AGENT.md", "gateway.d/a.toml", "skills/s/scripts/run.py", "tools/x.yaml", "tools/y.yml"]
    plant(tmp_path, *wanted, "docs/a.md", "README.md", "gateway.d/a.txt", "gateway.d/sub/b.toml", "schemas/x.json")
    tree = scan(tmp_path)
    assert list(tree.files) == sorted([*wanted, "gateway.toml"])
    assert tree.files["tools/y.yml"] == b"tools/y.yml"
    assert tree.diagnostics == ()
    assert tree.root == tmp_path


@pytest.mark.parametrize(
    "path",
    ["tools/.x.yaml", "tools/.git/x.yaml", "tools/x.yaml~", "tools/.x.yaml.swp", "tools/x.swp", "tools/#x.yaml#",
     "skills/s/__pycache__/run.pyc"],
)  # fmt: skip
def test_hidden_files_and_droppings_are_skipped(path: str, tmp_path: Path) -> None:
    """What editors and interpreters leave behind changes nothing."""
    tree = scan(plant(tmp_path, path))
    assert list(tree.files) == ["gateway.toml"]
    assert tree.diagnostics == ()


def test_extra_files_are_read_inside_the_tree_only(tmp_path: Path) -> None:
    """Named files come along; missing ones and those outside are absent, without a finding here."""
    root = plant(tmp_path / "tree", "context/rules.md")
    (tmp_path / "outside.md").write_text("x")
    named = [
        "context/rules.md",
        "missing.md",
        "../outside.md",
        str(tmp_path / "outside.md"),
        "x" * 5000,
        "gateway.toml",
    ]
    tree = scan(root, named)
    assert list(tree.files) == ["context/rules.md", "gateway.toml"]
    assert tree.diagnostics == ()


def test_the_revision_is_that_of_paths_and_bytes(tmp_path: Path) -> None:
    """The same content elsewhere, at another time, is the same revision."""
    first = scan(plant(tmp_path / "a", "tools/x.yaml", "tools/y.yaml"))
    second = scan(plant(tmp_path / "b", "tools/y.yaml", "tools/x.yaml"))
    os.utime(tmp_path / "b" / "tools" / "x.yaml", (1, 1))
    assert first.revision == second.revision == scan(tmp_path / "b").revision
    assert len(first.revision) == 64


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"tools/x.yaml": b"a"}, {"tools/x.yaml": b"b"}),
        ({"tools/x.yaml": b"a"}, {"tools/y.yaml": b"a"}),
        ({"tools/x.yaml": b""}, {}),
        ({"tools/x": b"y1 1\nz", "tools/z": b"q"}, {"tools/x": b"y", "tools/z": b"1 1\nzq"}),
    ],
)
def test_different_trees_have_different_revisions(
    one: dict[str, bytes], other: dict[str, bytes], tmp_path: Path
) -> None:
    """A changed byte, name, or boundary between files is another revision."""
    revisions = set()
    for number, files in enumerate((one, other)):
        root = plant(tmp_path / str(number), *files)
        for path, data in files.items():
            (root / path).write_bytes(data)
        revisions.add(scan(root).revision)
    assert len(revisions) == 2


def test_a_tree_without_its_root_file_says_so(tmp_path: Path) -> None:
    """The finding is about gateway.toml and says what to write."""
    expected = (
        "gateway.toml:1:1: error[HG1002] the tree has no gateway.toml; create one; `version = 1` and a `name` begin it"
    )
    assert render_text(scan(tmp_path).diagnostics) == expected


def test_a_missing_tree_says_so(tmp_path: Path) -> None:
    """Nothing is raised for a path that is not there, or that is a file."""
    (tmp_path / "file").write_text("x")
    for root in (tmp_path / "none", tmp_path / "file"):
        tree = scan(root)
        assert found(tree) == [(".", "the tree does not exist")]
        assert tree.files == {}


def test_names_are_judged(tmp_path: Path) -> None:
    """A bad name is an error, an unread suffix a warning; the files are there all the same."""
    tree = scan(plant(tmp_path, "tools/Bad.yaml", "agents/x.txt"))
    assert [(each.path, each.severity) for each in tree.diagnostics] == [
        ("agents/x.txt", "warning"),
        ("tools/Bad.yaml", "error"),
    ]


def test_links_inside_the_tree_are_followed(tmp_path: Path) -> None:
    """Files and folders may be linked within the tree."""
    root = plant(tmp_path, "skills/s/SKILL.md", "tools/x.yaml")
    (root / "tools" / "y.yaml").symlink_to("x.yaml")
    (root / "skills" / "t").symlink_to("s")
    tree = scan(root)
    assert tree.files["tools/y.yaml"] == b"tools/x.yaml"
    assert tree.files["skills/t/SKILL.md"] == b"skills/s/SKILL.md"
    assert tree.diagnostics == ()


def test_links_that_leave_the_tree_are_refused(tmp_path: Path) -> None:
    """Neither a file, a folder, a whole role's folder nor a named file may come from outside."""
    root = plant(tmp_path / "tree", "tools/x.yaml", "skills/x.md")
    outside = plant(tmp_path / "tree-outside", "a.yaml")
    (root / "tools" / "file.yaml").symlink_to(outside / "a.yaml")
    (root / "tools" / "folder").symlink_to(outside)
    (root / "agents").symlink_to(outside)
    (root / "rules.md").symlink_to("../tree-outside/a.yaml")
    tree = scan(root, ["rules.md"])
    assert list(tree.files) == ["gateway.toml", "skills/x.md", "tools/x.yaml"]
    refused = ["agents", "rules.md", "tools/file.yaml", "tools/folder"]
    assert found(tree) == [(path, "the link leaves the tree") for path in refused]


def test_links_in_a_circle_end(tmp_path: Path) -> None:
    """A folder within itself, folders within one another, and a link to itself are findings."""
    root = plant(tmp_path, "skills/s/SKILL.md", "tools/x.yaml")
    (root / "skills" / "s" / "up").symlink_to("..")
    (root / "tools" / "loop.yaml").symlink_to("loop.yaml")
    tree = scan(root)
    assert list(tree.files) == ["gateway.toml", "skills/s/SKILL.md", "tools/x.yaml"]
    assert [path for path, _ in found(tree)] == ["skills/s/up", "tools/loop.yaml"]


def test_a_broken_link_is_a_finding(tmp_path: Path) -> None:
    """A link to nothing is an unreadable file."""
    root = plant(tmp_path)
    (root / "tools").mkdir()
    (root / "tools" / "x.yaml").symlink_to("none.yaml")
    assert found(scan(root)) == [("tools/x.yaml", "the file cannot be read: No such file or directory")]


def test_a_config_map_layout_is_read(tmp_path: Path) -> None:
    """Kubernetes links every file to a hidden folder that it swaps; the swap is a new revision."""
    for version in ("one", "two"):
        (tmp_path / f"..{version}" / "tools").mkdir(parents=True)
        (tmp_path / f"..{version}" / "gateway.toml").write_text(version)
        (tmp_path / f"..{version}" / "tools" / "x.yaml").write_text(version)
    (tmp_path / "..data").symlink_to("..one")
    (tmp_path / "gateway.toml").symlink_to("..data/gateway.toml")
    (tmp_path / "tools").symlink_to("..data/tools")
    before = scan(tmp_path)
    (tmp_path / "..tmp").symlink_to("..two")
    (tmp_path / "..tmp").replace(tmp_path / "..data")
    after = scan(tmp_path)
    assert before.files == {"gateway.toml": b"one", "tools/x.yaml": b"one"}
    assert after.files == {"gateway.toml": b"two", "tools/x.yaml": b"two"}
    assert (before.diagnostics, after.diagnostics) == ((), ())


def test_a_root_that_is_a_link_is_read(tmp_path: Path) -> None:
    """git-sync gives the tree as a link; links inside it still count as inside."""
    root = plant(tmp_path / "real", "tools/x.yaml")
    (root / "tools" / "y.yaml").symlink_to(root / "tools" / "x.yaml")
    (tmp_path / "link").symlink_to("real")
    tree = scan(tmp_path / "link")
    assert list(tree.files) == ["gateway.toml", "tools/x.yaml", "tools/y.yaml"]
    assert tree.diagnostics == ()


def test_what_is_no_fair_file_is_refused(tmp_path: Path) -> None:
    """Pipes, folders in a file's place, names that are no text, and huge files are findings; the rest is read."""
    root = plant(tmp_path, "tools/x.yaml")
    os.mkfifo(root / "tools" / "pipe.yaml")
    (root / "folder.md").mkdir()
    (root / "tools" / os.fsdecode(b"\xff.yaml")).write_text("x")
    with (root / "tools" / "big.yaml").open("wb") as file:
        file.truncate(MAX_FILE_BYTES + 1)
    tree = scan(root, ["folder.md"])
    assert list(tree.files) == ["gateway.toml", "tools/x.yaml"]
    assert found(tree) == [
        ("folder.md", "this is not a regular file"),
        ("tools/?.yaml", "the file name is not UTF-8"),
        ("tools/big.yaml", f"the file is larger than {MAX_FILE_BYTES} bytes"),
        ("tools/pipe.yaml", "this is not a regular file"),
    ]


def test_a_tree_of_too_many_files_is_refused(tmp_path: Path) -> None:
    """The scan stops at the limit and says so once."""
    root = plant(tmp_path, "skills/s/0")
    for number in range(1, MAX_FILES + 5):
        os.link(root / "skills" / "s" / "0", root / "skills" / "s" / str(number))
    tree = scan(root)
    assert len(tree.files) == MAX_FILES
    assert [message for _, message in found(tree)] == [f"the tree holds more than {MAX_FILES} files"]


def test_folders_are_not_followed_for_ever(tmp_path: Path) -> None:
    """Nesting of folders is limited."""
    root = plant(tmp_path, f"skills/{'d/' * (MAX_DEPTH + 3)}x.md")
    tree = scan(root)
    assert list(tree.files) == ["gateway.toml"]
    assert [message for _, message in found(tree)] == [f"folders are nested more than {MAX_DEPTH} deep"]


def test_the_directories_of_a_tree_are_named_for_watching(tmp_path: Path) -> None:
    """Every folder that was looked into, empty ones and those of named files too, but no hidden one."""
    root = plant(tmp_path, "skills/s/SKILL.md", "context/a.md", "docs/x.md", "tools/.hidden/x")
    (root / "agents").mkdir()
    tree = scan(root, ["context/a.md", "context/none.md"])
    named = {path.relative_to(root).as_posix() for path in tree.directories}
    assert named == {".", "agents", "tools", "skills", "skills/s", "context"}
    assert tree.directories[0] == root
