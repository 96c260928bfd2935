"""A tree and its secrets: fetched when it is compiled, fetched again when they may have changed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from headgate.compile.compiler import Compiled, Compiler
from headgate.compile.keyring import Keyring, compile_tree
from headgate.core.kind import Kinds
from headgate.kinds import DEFAULT_KINDS
from headgate.testing.harness import write_tree
from headgate.testing.vault_api import VaultApi

AGENT = '---\ndescription: Helps.\ndisplay_name: "${secret:store/crm#name}"\n---\nYou help.\n'
GATEWAY = """\
version = 1
[egress]
allow = ["127.0.0.1"]
[auth.keys.me]
key = "${{env:KEY:-a-key-of-the-tests}}"
[providers.default]
kind = "scripted"
turns = [{{text = "Hello."}}]
[secrets.store]
{store}
"""
TOKEN = {"TOKEN": "hvs.root"}


def write(root: Path, store: str) -> Path:
    """A tree whose agent takes its display name from a secret."""
    return write_tree(root, {"gateway.toml": GATEWAY.format(store=store), "agents/helper.md": AGENT})


def vault(api: VaultApi, ttl: str = "0s") -> str:
    """The table of the fake."""
    return f'kind = "vault"\naddress = "{api.url}"\ntoken = "${{env:TOKEN}}"\nttl = "{ttl}"'


def name(compiled: Compiled) -> Any:
    """The display name that was resolved."""
    spec = compiled.draft.agents["helper"].spec
    assert spec is not None
    return spec.display_name


def codes(compiled: Compiled) -> list[str]:
    """The codes of the findings."""
    return [each.code for each in compiled.diagnostics]


@pytest.fixture
async def api() -> AsyncIterator[VaultApi]:
    """A Vault with the secret that the tree names."""
    async with VaultApi() as made:
        made.put("crm", name="Ada")
        yield made


@pytest.fixture
async def keyring(api: VaultApi, tmp_path: Path) -> AsyncIterator[Keyring]:
    """A keyring on the tree, whose back-end keeps nothing."""
    compiler = Compiler(write(tmp_path, vault(api)), DEFAULT_KINDS, TOKEN)
    async with Keyring(compiler, TOKEN) as made:
        yield made


async def test_a_secret_is_resolved_and_kept_from_sight(keyring: Keyring) -> None:
    """The value is in the spec, and among what is redacted."""
    compiled = await keyring.compile()
    assert (compiled.ok, name(compiled)) == (True, "Ada")
    assert "Ada" in compiled.draft.secrets


async def test_a_rotation_is_another_revision_of_secrets(keyring: Keyring, api: VaultApi) -> None:
    """The files are the same, the digest of the secrets is not."""
    first = await keyring.compile()
    assert not await keyring.changed()
    api.put("crm", name="Bob")
    assert await keyring.changed()
    second = await keyring.compile()
    assert (name(second), second.revision) == ("Bob", first.revision)
    assert second.secrets_digest != first.secrets_digest
    assert not await keyring.changed()


async def test_a_secret_that_is_gone_is_found_in_its_place(keyring: Keyring, api: VaultApi) -> None:
    """Missing, refused and unavailable are told apart; what was asked in vain is asked again."""
    api.delete("crm")
    assert codes(await keyring.compile()) == ["HG1106"]
    api.denied.add("crm")
    compiled = await keyring.compile()
    assert [(each.path, each.line, each.code) for each in compiled.diagnostics] == [("agents/helper.md", 3, "HG1107")]
    api.denied.clear()
    api.put("crm", name="Cy")
    assert name(await keyring.compile()) == "Cy"


async def test_an_outage_is_a_finding_until_it_ends(keyring: Keyring, api: VaultApi) -> None:
    """A failure that lasts is no change, its end is one."""
    api.status = 503
    assert codes(await keyring.compile()) == ["HG1107"]
    assert not await keyring.changed()
    api.status = 0
    assert await keyring.changed()


async def test_what_a_back_end_keeps_is_not_asked_again(api: VaultApi, tmp_path: Path) -> None:
    """Within its ttl only `forget` makes a back-end ask anew."""
    compiler = Compiler(write(tmp_path, vault(api, "1h")), DEFAULT_KINDS, TOKEN)
    async with Keyring(compiler, TOKEN) as keyring:
        await keyring.compile()
        api.put("crm", name="Bob")
        assert (await keyring.changed(), name(await keyring.compile())) == (False, "Ada")
        await keyring.forget()
        assert name(await keyring.compile()) == "Bob"


async def test_another_table_is_another_back_end(keyring: Keyring, tmp_path: Path) -> None:
    """After an edit of its table the back-end is opened anew, and the old one not asked any more."""
    await keyring.compile()
    write_tree(tmp_path, {"mounted/crm": '{"name": "Eve"}'})
    write(tmp_path, f'kind = "file"\nroot = "{tmp_path / "mounted"}"')
    assert name(await keyring.compile()) == "Eve"


async def test_a_table_with_findings_is_blamed_alone(keyring: Keyring, tmp_path: Path) -> None:
    """Whoever refers to a back-end that cannot be opened made no mistake."""
    write(tmp_path, 'kind = "file"\nroot = "not/absolute"')
    assert [(each.path, each.code) for each in (await keyring.compile()).diagnostics] == [("gateway.toml", "HG1004")]


async def test_without_the_environment_nobody_is_asked(api: VaultApi, tmp_path: Path) -> None:
    """CI needs neither the network nor a secret."""
    compiled = await compile_tree(write(tmp_path, vault(api)), DEFAULT_KINDS, {}, skip_environment=True)
    assert (codes(compiled), sum(api.requests.values())) == ([], 0)


async def test_a_build_without_back_ends_says_so(tmp_path: Path) -> None:
    """The table is known, its kind is not."""
    kinds = Kinds(DEFAULT_KINDS.providers, DEFAULT_KINDS.tools)
    compiled = await compile_tree(write(tmp_path, 'kind = "env"'), kinds, {})
    assert [(each.path, each.code) for each in compiled.diagnostics] == [("gateway.toml", "HG1004")]
