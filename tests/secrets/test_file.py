"""Secrets in files: inside their root, plain or JSON, rotated."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from headgate.core.kind import Scope
from headgate.secrets.content import MAX_BYTES
from headgate.secrets.file import KIND
from headgate.testing.secret_kit import check_failure, check_rotation, check_value, opened


async def test_plain_and_json_files_are_read(tmp_path: Path) -> None:
    """One line end at the end is not part of a secret; the key selects a member, and the only one needs no key."""
    (tmp_path / "token").write_text("hush\n")
    (tmp_path / "db").mkdir()
    (tmp_path / "db" / "main.json").write_text('{"user": "u", "password": "pass-hush"}')
    async with opened(KIND, {"root": str(tmp_path)}) as backend:
        await check_value(backend, "token", None, "hush")
        await check_value(backend, "db/main.json", "password", "pass-hush")


async def test_links_inside_the_root_are_followed_as_kubernetes_makes_them(tmp_path: Path) -> None:
    """A mounted secret is a link to a link to a folder, all below the root; swapping it is a rotation."""
    for name in ("first", "second"):
        (tmp_path / f"..{name}").mkdir()
        (tmp_path / f"..{name}" / "token").write_text(f"hush-{name}")
    (tmp_path / "..data").symlink_to("..first")
    (tmp_path / "token").symlink_to("..data/token")

    def swap() -> None:
        (tmp_path / "..next").symlink_to("..second")
        (tmp_path / "..next").rename(tmp_path / "..data")

    async with opened(KIND, {"root": str(tmp_path), "ttl": "0s"}) as backend:
        before, after = await check_rotation(backend, "token", None, swap)
    assert (before.value, after.value) == ("hush-first", "hush-second")


async def test_nothing_outside_the_root_is_read(tmp_path: Path) -> None:
    """Neither by dots, nor by an absolute path, nor by a link."""
    root = tmp_path / "root"
    root.mkdir()
    (tmp_path / "outside").write_text("hush")
    (root / "link").symlink_to(tmp_path / "outside")
    async with opened(KIND, {"root": str(root)}) as backend:
        for path in ("../outside", str(tmp_path / "outside"), "link"):
            await check_failure(backend, path, None, "secret_denied", "hush")


async def test_what_is_no_secret_file_is_told(tmp_path: Path) -> None:
    """Missing, empty, large, binary and irregular files and circular links each have their code."""
    (tmp_path / "empty").touch()
    (tmp_path / "large").write_bytes(b"a" * (MAX_BYTES + 1))
    (tmp_path / "binary").write_bytes(b"hush\xff")
    (tmp_path / "nul").write_bytes(b"hush\0")
    (tmp_path / "circle").symlink_to("circle")
    os.mkfifo(tmp_path / "pipe")
    wanted = {"gone": "not_found", "empty": "not_found", "pipe": "not_found", "large": "unavailable"}
    wanted |= {"binary": "unavailable", "nul": "unavailable", "circle": "unavailable", "a\0b": "unavailable"}
    async with opened(KIND, {"root": str(tmp_path)}) as backend:
        for path, code in wanted.items():
            await check_failure(backend, path, None, f"secret_{code}", "hush")


@pytest.mark.parametrize("root", ["secrets", "", "./x"])
def test_a_relative_root_is_a_finding(root: str) -> None:
    """The working directory decides nothing."""
    spec = KIND.spec.model_validate({"kind": "file", "root": root})
    assert [(each.key, each.code) for each in KIND.check(spec, Scope("s"))] == [(("root",), "HG1004")]
