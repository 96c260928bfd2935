"""Secrets in environment variables."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from headgate.secrets.env import KIND
from headgate.testing.secret_kit import check_failure, check_rotation, check_value, opened


async def test_a_variable_and_a_member_of_one_are_read() -> None:
    """The prefix stands before the path; the key selects a member of JSON, which need not be text."""
    environ = {"APP_TOKEN": "hush", "APP_DB": '{"password": "pass-hush", "port": 5432}'}
    async with opened(KIND, {"prefix": "APP_"}, environ) as backend:
        await check_value(backend, "TOKEN", None, "hush")
        await check_value(backend, "DB", "password", "pass-hush")
        await check_value(backend, "DB", "port", "5432")


@pytest.mark.parametrize(
    ("path", "key"), [("GONE", None), ("EMPTY", None), ("a=b", None), ("PLAIN", "x"), ("JSON", "gone"), ("LIST", "0")]
)
async def test_what_is_not_there_is_not_found(path: str, key: str | None) -> None:
    """Missing and empty variables, bad names and missing members are named, and no value is shown."""
    environ = {"EMPTY": "", "PLAIN": "hush", "JSON": '{"x": "hush"}', "LIST": '["hush"]'}
    async with opened(KIND, {}, environ) as backend:
        await check_failure(backend, path, key, "secret_not_found", "hush")


async def test_variables_without_the_prefix_cannot_be_read() -> None:
    """The prefix is a fence."""
    async with opened(KIND, {"prefix": "APP_"}, {"HOME": "/root"}) as backend:
        await check_failure(backend, "HOME", None, "secret_not_found", "/root")


async def test_a_variable_that_is_not_utf8_is_unavailable() -> None:
    """Bytes that are no text do not become one."""
    async with opened(KIND, {}, {"RAW": "hush\udcff"}) as backend:
        await check_failure(backend, "RAW", None, "secret_unavailable", "hush")


async def test_a_change_is_seen_at_once() -> None:
    """The environment is read anew each time."""
    environ = {"TOKEN": "old"}
    async with opened(KIND, {}, environ) as backend:
        await check_rotation(backend, "TOKEN", None, lambda: environ.update(TOKEN="new"))


def test_a_bad_prefix_is_refused() -> None:
    """A prefix must be able to begin a variable's name."""
    with pytest.raises(ValidationError, match="prefix"):
        KIND.spec.model_validate({"kind": "env", "prefix": "a-b"})
