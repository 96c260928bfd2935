"""Secrets of a Vault that change, vanish and come back while a gateway serves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from headgate.engine.reload import BootError
from headgate.engine.watcher import Watcher
from headgate.testing.harness import Live, live, spoken
from headgate.testing.vault_api import VaultApi
from tests.conftest import Tree
from tests.waiting import until

WORDS = " ".join(f"word{n}" for n in range(60))
SLOW = f"- {{when: {{user_contains: slow}}, delay: 10ms, text: '{WORDS}'}}\n- {{text: first}}\n"
CRM = """\
kind: http
description: The customer's plan.
request: {url: https://crm.example.com/}
auth: {type: bearer, token: "${secret:vault/crm#token}"}
"""


@pytest.fixture
async def api() -> AsyncIterator[VaultApi]:
    """A Vault with one secret."""
    async with VaultApi() as made:
        made.put("crm", token="the-first-token")
        yield made


def planted(tree: Tree, api: VaultApi, script: str = SLOW, **keys: Any) -> Any:
    """A tree with one tool that uses the secret."""
    table = f'[secrets.vault]\nkind = "vault"\naddress = "{api.url}"\ntoken = "${{env:VAULT:-hvs.root}}"\nttl = "0s"\n'
    return tree(script, toml=f'[egress]\nallow = ["127.0.0.1"]\n{table}', files={"tools/crm.yaml": CRM}, **keys)


def opened(gateway: Live) -> dict[Any, Any]:
    """The open objects of the live revision."""
    return {each.identity: each for each in gateway.gateway.snapshot.resources}


async def test_a_rotation_reopens_the_user_of_the_secret_alone(tree: Tree, api: VaultApi) -> None:
    """Only the tool that uses the secret is another object then, and a running stream goes on to its end."""
    async with live(planted(tree, api), watch=False) as gateway:
        talk = asyncio.create_task((await gateway.session()).say("slow"))
        await until(lambda: gateway.gateway.edge.host.runs)
        before = opened(gateway)
        api.put("crm", token="the-second-token")
        assert (await gateway.reload())["status"] == "applied"
        after = opened(gateway)
        assert [name for name in after if after[name] is not before[name]] == [("tools", "crm")]
        assert gateway.gateway.snapshot.scrub("say the-second-token") == "say [redacted]"
        assert spoken(await talk) == WORDS


async def test_a_rotation_is_seen_without_an_edit(tree: Tree, api: VaultApi) -> None:
    """A look at the tree that finds nothing new asks the back-ends, too."""
    async with live(planted(tree, api), watch=False) as gateway:
        edge, stop = gateway.gateway.edge, asyncio.Event()
        watching = asyncio.create_task(Watcher(edge.reloader, edge.amender).watch(stop, poll=0.05))
        before = opened(gateway)
        api.put("crm", token="the-second-token")
        await until(lambda: opened(gateway)[("tools", "crm")] is not before[("tools", "crm")])
        stop.set()
        await watching
        assert edge.reloader.status.degraded is False


async def test_an_outage_leaves_the_live_revision_alone(tree: Tree, api: VaultApi) -> None:
    """The attempt is rejected with the place of the reference; when the outage ends, so does the complaint."""
    async with live(planted(tree, api), watch=False) as gateway:
        before, api.status = opened(gateway), 503
        refused = await gateway.reload()
        assert refused["state"] == "rejected"
        assert [(each["path"], each["line"], each["code"]) for each in refused["diagnostics"]] == [
            ("tools/crm.yaml", 4, "HG1107")
        ]
        assert (gateway.gateway.edge.status.degraded, opened(gateway)) == (True, before)
        assert spoken(await (await gateway.session()).say("hi")) == "first"
        api.status = 0
        assert (await gateway.reload())["status"] == "unchanged"
        assert (gateway.gateway.edge.status.degraded, opened(gateway)) == (False, before)


async def test_no_start_without_a_secret(tree: Tree, api: VaultApi) -> None:
    """A tree whose secret is missing is not served."""
    api.delete("crm")
    with pytest.raises(BootError, match="HG1106"):
        async with live(planted(tree, api), watch=False):
            pass
