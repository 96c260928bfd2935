"""Globs within a name, and who sees what by them."""

from __future__ import annotations

import pytest

from headgate.core.context import Principal
from headgate.core.glob import covers, matching


def test_a_star_covers_any_part_of_a_name() -> None:
    """Only `*` is a wildcard; matches come in the order of the names, each once."""
    names = ["crm_find", "crm_add", "shop", "a.b"]
    assert matching(["shop", "crm_*", "crm_add"], names) == ["crm_find", "crm_add", "shop"]
    assert matching(["s?op", "[a-z]*", "a*b"], names) == ["a.b"]
    assert matching(["*"], names) == names


@pytest.mark.parametrize(("pattern", "seen"), [("crm_*", True), ("crm_fin?", False), ("[c]rm_find", False)])
def test_a_principal_sees_what_the_compiler_found(pattern: str, seen: bool) -> None:
    """What a key's globs cover at run time is what they covered when the tree was checked."""
    caller = Principal("me", "ops", "", frozenset(), agents=(pattern,), tools=(pattern,))
    assert (caller.sees_agent("crm_find"), caller.sees_tool("crm_find")) == (seen, seen)
    assert covers(pattern, "crm_find") is seen
