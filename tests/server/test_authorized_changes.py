"""What becomes of grants when servers, keys and manifests change, and what is not let through."""

from __future__ import annotations

import re
from pathlib import Path

from headgate.server.authorizations import vault_of
from headgate.testing.harness import live
from headgate.testing.mcp_protected import OAuthHouse, oauth_house
from tests.conftest import Tree
from tests.server.mcp_servers import boss_of
from tests.server.native import Caller
from tests.server.people import (
    ANN,
    OWN,
    WHOAMI,
    browser,
    called,
    crm,
    eventually,
    granted,
    link,
    server_of,
    whoami,
)
from tests.waiting import until


async def test_another_url(tree: Tree, house: OAuthHouse) -> None:
    """When an edit points the server elsewhere, no token of before is sent there, and what was granted is forgotten."""
    async with oauth_house() as other:
        root = tree(WHOAMI, toml=crm(house))
        async with live(root) as gateway:
            ann = Caller(gateway, ANN)
            await granted(ann, "ann@crm")
            assert await called(ann) == "ann@crm"
            text, before = (root / "gateway.toml").read_text(), server_of(gateway)
            assert before.connected == ["ann"]
            gateway.edit("gateway.toml", text.replace(house.server.url, other.server.url))
            assert (await gateway.reload())["status"] in ("applied", "unchanged")
            await until(lambda: before.connected == [])
            assert (await ann.ask("GET", OWN))["state"] == "missing"
            assert await whoami(server_of(gateway), "ann") == "auth_required"
            assert [each for each in other.server.sent if each] == []
            held = vault_of(gateway.gateway.edge)

            async def forgotten() -> bool:
                return not await held.all()

            await eventually(forgotten)
            gateway.edit("gateway.toml", text)
            await gateway.reload()
            assert (await ann.ask("GET", OWN))["state"] == "missing"


async def test_the_identity_counts(tree: Tree, house: OAuthHouse) -> None:
    """A grant to the gateway under one id is none under another."""
    house.authority.clients["mine"] = {
        "redirect_uris": [], "token_endpoint_auth_method": "client_secret_basic", "client_secret": "mine:s3cr%t",
    }  # fmt: skip
    own = ', client_id = "mine", client_secret = "${env:OWN_SECRET:-mine:s3cr%t}", auth_method = "basic"'
    root = tree(WHOAMI, toml=crm(house, auth=own))
    async with live(root) as gateway:
        ann = Caller(gateway, ANN)
        house.authority.clients["mine"]["redirect_uris"] = [f"{gateway.url}/oauth/callback"]
        await granted(ann, "ann@crm")
        assert await called(ann) == "ann@crm"
        assert set(house.authority.clients) == {"mine"}
        house.authority.spoil()
        assert await called(ann) == "ann@crm"
        text = (root / "gateway.toml").read_text()
        gateway.edit("gateway.toml", re.sub(', client_id = "mine".*"basic"', "", text))
        await gateway.reload()
        assert await whoami(server_of(gateway), "ann") == "auth_required"


async def test_a_server_that_is_removed(tree: Tree, house: OAuthHouse) -> None:
    """Grants go with the server, also where one of the same name and URL comes later; so does who was on the way."""
    body = {
        "name": "crm", "transport": "streamable_http", "url": house.server.url,
        "credentials": {"auth_type": "oauth2_user", "scopes": ["read"]},
    }  # fmt: skip
    toml = crm(house)
    without = toml[: toml.index("[mcp.servers.crm]")]
    async with live(tree(WHOAMI, toml=without), watch=False) as gateway, browser("ann@crm") as own:
        ann, boss = Caller(gateway, ANN), boss_of(gateway)
        made = await boss.ask("POST", "/v1/admin/mcp-servers", body)
        assert (made["auth_type"], made["credential_keys"]) == ("oauth2_user", ["auth_type", "scopes"])
        await granted(ann, "ann@crm")
        assert await called(ann) == "ann@crm"
        back = await own.consent(await link(ann))
        await boss.ask("DELETE", "/v1/admin/mcp-servers/crm")
        page = await own.get(back)
        assert (page.status_code, "not the one any more" in page.text) == (410, True)
        await boss.ask("POST", "/v1/admin/mcp-servers", body)
        assert (await ann.ask("GET", OWN))["state"] == "missing"
        found = await boss.ask("POST", "/v1/admin/mcp-servers/crm/test")
        assert (found["success"], found["error_code"]) == (False, "auth_error")


async def test_a_key_that_is_removed(tree: Tree, house: OAuthHouse) -> None:
    """Who gets a key of the same name later has none of what the one before granted; a new secret changes nothing."""
    async with live(tree(WHOAMI, toml=crm(house)), watch=False) as gateway, browser("eve@crm") as own:
        boss = boss_of(gateway)
        said = {"name": "eve", "scopes": ["chat"]}
        eve = Caller(gateway, (await boss.ask("POST", "/v1/admin/keys", said, 201))["key"])
        await granted(eve, "eve@crm")
        turned = await boss.ask("POST", "/v1/admin/keys/eve/rotate", {"overlap_s": 0})
        assert await called(Caller(gateway, turned["key"])) == "eve@crm"
        again = Caller(gateway, turned["key"])
        back = await own.consent(await link(again))
        await boss.ask("DELETE", "/v1/admin/keys/eve")
        page = await own.get(back)
        assert (page.status_code, "not valid any more" in page.text) == (410, True)
        other = Caller(gateway, (await boss.ask("POST", "/v1/admin/keys", said, 201))["key"])
        assert (await other.ask("GET", OWN))["state"] == "missing"
        assert await called(other) == "auth_required"


async def test_keys_of_encryption(tree: Tree, house: OAuthHouse, tmp_path: Path) -> None:
    """Tokens lie encrypted in the ledger, outlive a change of the key, and are as good as none without it."""
    first, second = "first-" * 8, "second-" * 8
    rows = 'encryption_key = "${env:ENC_ONE}"\n'
    root = tree(WHOAMI, toml="[auth]\n" + rows + crm(house))
    async with live(root, environ={"ENC_ONE": first}, watch=False) as gateway:
        await granted(Caller(gateway, ANN), "ann@crm")
    kept = b"".join(each.read_bytes() for each in (root / ".headgate").glob("state.db*"))
    for secret in (*house.authority.tokens, *house.authority.refreshing, "secret-of-client-1"):
        assert secret.encode() not in kept
    text = (root / "gateway.toml").read_text()
    (root / "gateway.toml").write_text(text.replace(rows, rows + 'previous_encryption_keys = ["${env:ENC_TWO}"]\n'))
    async with live(root, environ={"ENC_ONE": second, "ENC_TWO": first}, watch=False) as gateway:
        assert await called(Caller(gateway, ANN)) == "ann@crm"
    (root / "gateway.toml").write_text(text)
    async with live(root, environ={"ENC_ONE": second}, watch=False) as gateway:
        assert await called(Caller(gateway, ANN)) == "ann@crm"
    async with live(root, environ={"ENC_ONE": "third-" * 8}, watch=False) as gateway:
        assert (await Caller(gateway, ANN).ask("GET", OWN))["state"] == "missing"
