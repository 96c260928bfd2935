"""What a file is by its path, and which paths are wrong."""

from __future__ import annotations

import pytest

from headgate.manifest.names import misnamed, role


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("gateway.toml", ("gateway", None)),
        ("gateway.d/10-team.b.toml", ("layer", "10-team.b")),
        ("agents/x.md", ("agent", "x")),
        ("agents/x/AGENT.md", ("agent", "x")),
        ("agents/x/notes.md", ("extra", None)),
        ("agents/x/y/AGENT.md", ("extra", None)),
        ("tools/look_up-2.yaml", ("tool", "look_up-2")),
        ("tools/x.yml", ("tool", "x")),
        ("tools/sub/x.yaml", ("extra", None)),
        ("skills/x.md", ("skill", "x")),
        ("skills/x/SKILL.md", ("skill", "x")),
        ("skills/x/references/a.md", ("extra", None)),
        ("fields/crm.yaml", ("field", "crm")),
        ("fragments/tone.md", ("fragment", "tone")),
        ("catalog/files.yaml", ("catalog", "files")),
        ("tools/README.md", ("extra", None)),
        ("agents/README.md", ("extra", None)),
        ("context/rules.md", ("extra", None)),
        ("demo.script.yaml", ("extra", None)),
        ("tools/Bad.yaml", ("tool", None)),
        ("tools/a__b.yaml", ("tool", None)),
        ("tools/x\n.yaml", ("tool", None)),
        ("agents/a b/AGENT.md", ("agent", None)),
    ],
)
def test_the_path_says_what_a_file_is(path: str, expected: tuple[str, str | None]) -> None:
    """Folder, suffix and depth make the role; only allowed names are names."""
    assert role(path) == expected


@pytest.mark.parametrize("path", ["tools/Bad.yaml", "agents/a__b.md", f"fields/{'x' * 65}.yaml", "skills/-x/SKILL.md"])
def test_a_name_that_is_not_allowed_is_an_error(path: str) -> None:
    """The finding says in words what a name is made of."""
    found = misnamed(path)
    assert found is not None
    assert (found.path, found.severity, found.code) == (path, "error", "HG1002")
    assert found.hint.startswith("use lower-case letters, digits")


@pytest.mark.parametrize(
    ("path", "hint"),
    [
        ("tools/x.json", "tools/ holds .yaml and .yml files"),
        ("agents/x.txt", "agents/ holds .md files"),
        ("fields/x.md", "fields/ holds .yaml and .yml files"),
    ],
)
def test_a_suffix_that_is_not_read_is_a_warning(path: str, hint: str) -> None:
    """A file that looks like a manifest but is not read is pointed out."""
    found = misnamed(path)
    assert found is not None
    assert (found.severity, found.code, found.hint) == ("warning", "HG1002", hint)


@pytest.mark.parametrize(
    ("path", "hint"),
    [
        ("tools/crm/find.yaml", "move it into tools/ itself"),
        ("fragments/a/b/tone.md", "move it into fragments/ itself"),
        ("agents/helper/agent.md", "call it AGENT.md"),
        ("skills/refunds/Skill.md", "call it SKILL.md"),
    ],
)
def test_a_file_that_lies_too_deep_is_a_warning(path: str, hint: str) -> None:
    """What looks like an object, but stands where none is looked for, is not passed over in silence."""
    found = misnamed(path)
    assert found is not None
    assert (found.severity, found.code, found.hint) == ("warning", "HG1002", hint)


@pytest.mark.parametrize(
    "path",
    [
        "agents/x/notes.md",
        "skills/x/references/skill.md",
        "tools/crm/logo.png",
        "gateway.toml",
        "gateway.d/A.toml",
        "tools/x.yaml",
        "tools/README.md",
        "skills/x/scripts/Run.py",
        "context/A.txt",
    ],
)
def test_other_paths_are_fine(path: str) -> None:
    """Notes, assets and well-named files are no findings."""
    assert misnamed(path) is None
