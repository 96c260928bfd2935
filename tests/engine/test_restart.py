"""Which edits wait for a new process."""

from __future__ import annotations

from typing import Any

import pytest

from headgate.compile.specs import Gateway
from headgate.engine.restart import KEYS, changed_keys

BASE: dict[str, Any] = {"version": 1, "providers": {"default": {"kind": "auto"}}}


def test_the_keys_are_those_of_the_schema() -> None:
    """Tables as a whole where the schema marks them as a whole."""
    auth = {("auth", name) for name in ("session_secret", "encryption_key", "previous_encryption_keys")}
    assert set(KEYS) == {("server",), ("store",), ("boot",)} | auth


@pytest.mark.parametrize(
    ("edit", "keys"),
    [
        ({"server": {"port": 9}}, [("server", "port")]),
        ({"server": {"limits": {"body": "1MiB"}}}, [("server", "limits", "body")]),
        ({"boot": {"on_invalid": "last_good"}}, [("boot", "on_invalid")]),
        ({"auth": {"session_secret": "x" * 32, "session_ttl": "2h"}}, [("auth", "session_secret")]),
        ({"server": {"port": 8000}, "name": "other"}, []),
    ],
)
def test_an_edit_is_told_by_its_innermost_key(edit: dict[str, Any], keys: list[Any]) -> None:
    """A default that is written out is no change, and what takes effect at once is not among them."""
    assert changed_keys(Gateway.model_validate(BASE), Gateway.model_validate({**BASE, **edit})) == keys
