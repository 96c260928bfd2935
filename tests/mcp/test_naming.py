"""The names of MCP tools, and which names a server could come to have."""

from __future__ import annotations

import re

import pytest

from headgate.mcp.naming import full_name, may_name
from headgate.mcp.spec import ServerSpec

PLAIN, SHORT, BARE = ServerSpec(command="x"), ServerSpec(command="x", prefix="fs"), ServerSpec(command="x", prefix="")


@pytest.mark.parametrize(
    ("spec", "tool", "name"),
    [(PLAIN, "read_file", "files__read_file"), (SHORT, "read_file", "fs__read_file"), (BARE, "read_file", "read_file")],
)
def test_full_names(spec: ServerSpec, tool: str, name: str) -> None:
    """The prefix, two underscores, and the server's own name."""
    assert full_name("files", spec, tool) == name


@pytest.mark.parametrize("tool", ["a" * 80, "crm.find", "crm/find", "größe"])
def test_names_that_providers_do_not_take(tool: str) -> None:
    """They are mended and cut, and stay different from all others."""
    made = full_name("files", PLAIN, tool)
    assert re.fullmatch(r"[A-Za-z0-9_-]{1,64}", made)
    assert made != full_name("files", PLAIN, tool + "x")


def test_names_that_differ_only_in_what_is_mended() -> None:
    """`crm.find` and `crm_find` of one server do not collide."""
    assert full_name("files", PLAIN, "crm.find") != full_name("files", PLAIN, "crm_find")


@pytest.mark.parametrize(
    ("spec", "pattern", "may"),
    [
        (PLAIN, "files__read", True), (PLAIN, "files__*", True), (PLAIN, "*", True), (PLAIN, "fil*", True),
        (PLAIN, "*_read", True), (PLAIN, "other__read", False), (PLAIN, "other*", False), (PLAIN, "files__", False),
        (SHORT, "fs__read", True), (SHORT, "files__read", False), (BARE, "anything", True),
        (ServerSpec(command="x", allow=("read_*",)), "files__write", False),
        (ServerSpec(command="x", deny=("write",)), "files__write", False),
    ],
)  # fmt: skip
def test_names_that_a_server_could_come_to_have(spec: ServerSpec, pattern: str, may: bool) -> None:
    """By its prefix, and by what it allows and denies."""
    assert may_name("files", spec, pattern) is may


def test_a_name_that_was_mended_may_be_written() -> None:
    """What the server calls its tool cannot be told from it, so `allow` does not speak against it."""
    spec = ServerSpec(command="x", allow=("crm.*",))
    assert may_name("files", spec, full_name("files", spec, "crm.find"))
