"""Names that point to other objects."""

from __future__ import annotations

from headgate.compile.naming import check_names, unknown


def test_literals_are_errors_and_globs_warnings() -> None:
    """Each is found at its own item of the list."""
    found = list(check_names("tool", ["shop", "shpo", "x_*"], {"shop"}, ("tools",)))
    assert [(each.key, each.severity) for each in found] == [(("tools", 1), "error"), (("tools", 2), "warning")]


def test_long_lists_of_names_are_cut() -> None:
    """A hint names a dozen at most, and says when there are none."""
    many = unknown("tool", "q", [f"tool{index:02}" for index in range(30)], ())
    assert (many.hint.count("tool"), many.hint.endswith("tool11, ...")) == (12, True)
    assert unknown("tool", "q", [], ()).hint == "there is no tool yet"
