"""What becomes of grants when servers, keys and manifests change, and what is not let through."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from headgate.server.authorizations import vault_of
from headgate.testing.harness import KEY, Live, live
from headgate.testing.mcp_protected import OAuthHouse, oauth_house
from tests.conftest import Tree
from tests.server.mcp_servers import boss_of
from tests.server.native import Caller, settled
from tests.server.people import (
    ANN,
    AUTHORIZE,
    BOB,
    OWN,
    WHOAMI,
    browser,
    called,
    crm,
    eventually,
    granted,
    link,
    result,
    server_of,
    whoami,
)
from tests.waiting import until


@pytest.fixture
async def house() -> AsyncIterator[OAuthHouse]:
    async with oauth_house() as made:
        yield made


async def test_another_url(tree: Tree, house: OAuthHouse) -> None:
    """When an edit points the server elsewhere, no token of before is sent there, and what was granted is forgotten."""
    async with oauth_house() as other:
        root = tree(WHOAMI, toml=crm(house))
        async with live(root) as gateway:
            ann = Caller(gateway, ANN)
            await granted(ann, "ann@crm")
            assert await called(ann) == "ann@crm"
            text = (root / "gateway.toml").read_text()
            gateway.edit("gateway.toml", text.replace(house.server.url, other.server.url))
            assert (await gateway.reload())["status"] in ("applied", "unchanged")
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


async def test_addresses_inside(tree: Tree, house: OAuthHouse) -> None:
    """Metadata that lead to addresses which the egress guard does not open are not followed."""
    port = house.server.port
    only = f'[egress]\nallow = ["127.0.0.1:{port}"]\n'
    toml = crm(house).replace('[egress]\nallow = ["127.0.0.1"]\n', only)
    async with live(tree(WHOAMI, toml=toml), watch=False) as gateway:
        answer = await Caller(gateway, ANN).send("POST", AUTHORIZE)
        assert (answer.status_code, answer.json()["error"]["code"]) == (502, "egress_refused")
        assert (house.authority.visits, house.authority.clients) == ([], {})


@pytest.mark.parametrize("member", ["token_endpoint", "registration_endpoint"])
async def test_endpoints_inside(tree: Tree, house: OAuthHouse, member: str) -> None:
    """An authorization server cannot have the gateway ask addresses of the inside either."""
    house.authority.says = {member: "http://169.254.169.254/latest"}
    async with live(tree(WHOAMI, toml=crm(house)), watch=False) as gateway, browser("ann@crm") as own:
        ann = Caller(gateway, ANN)
        answer = await ann.send("POST", AUTHORIZE)
        assert answer.status_code == 502, answer.text
        assert (await ann.ask("GET", OWN))["state"] == "missing"
        assert own.seen == []


async def test_another_authorization_server(tree: Tree, house: OAuthHouse) -> None:
    """With `issuer` people are sent nowhere else, whatever the server says."""
    other = ', issuer = "https://login.example.com"'
    async with live(tree(WHOAMI, toml=crm(house, auth=other)), watch=False) as gateway:
        answer = await Caller(gateway, ANN).send("POST", AUTHORIZE)
        assert (answer.status_code, "https://login.example.com" in answer.text) == (502, True)


async def test_the_gateways_keys_stay_here(tree: Tree, house: OAuthHouse) -> None:
    """Neither keys of callers nor tokens of others come to the server or to the authorization server."""
    async with live(tree(WHOAMI, toml=crm(house)), watch=False) as gateway:
        await granted(Caller(gateway, ANN), "ann@crm")
        await called(Caller(gateway, ANN))
        await called(Caller(gateway, BOB))
        everything = str([house.server.headers, house.authority.asked, house.authority.visits])
        assert not [each for each in (KEY, ANN, BOB) if each in everything]
        assert {each for each in house.server.sent if each} == {f"Bearer {each}" for each in house.authority.tokens}


async def test_a_server_that_lists_for_everybody(tree: Tree, house: OAuthHouse) -> None:
    """Where tools are listed without a credential, agents have them before anybody granted access."""
    house.server.anonymous = True
    async with live(tree(WHOAMI, toml=crm(house)), watch=False) as gateway:
        assert await called(Caller(gateway, ANN)) == "auth_required"
        await granted(Caller(gateway, ANN), "ann@crm")
        assert await called(Caller(gateway, ANN)) == "ann@crm"


async def test_one_listing_for_all(tree: Tree, house: OAuthHouse) -> None:
    """What is offered is what the first account was offered, until that is gone: then it is the next one's."""
    house.server.own = {"bob@crm": ["secret_of_bob"]}

    async def names(gateway: Live) -> list[str]:
        found = await boss_of(gateway).ask("GET", "/v1/tools")
        return sorted(each["name"] for each in found if each["server"] == "crm")

    async with live(tree(WHOAMI, toml=crm(house)), watch=False) as gateway:
        ann, bob = Caller(gateway, ANN), Caller(gateway, BOB)
        await granted(ann, "ann@crm")
        await granted(bob, "bob@crm")
        assert await names(gateway) == ["crm__whoami", "crm__write"]
        await ann.ask("DELETE", OWN)
        await granted(bob, "bob@crm")
        assert await names(gateway) == ["crm__secret_of_bob", "crm__whoami", "crm__write"]


async def test_pins(tree: Tree, house: OAuthHouse) -> None:
    """The first listing is approved; a tool that is other afterwards is held, whoever sees it."""
    async with live(tree(WHOAMI, toml=crm(house, more='pin = "block"')), watch=False) as gateway:
        ann, boss = Caller(gateway, ANN), boss_of(gateway)
        await granted(ann, "ann@crm")

        async def approved() -> bool:
            return bool((await boss.ask("GET", "/v1/admin/pins"))["items"])

        await eventually(approved)
        assert await called(ann) == "ann@crm"
        house.server.tools["whoami"].description = "Now it is another one."
        await boss.ask("POST", "/v1/admin/mcp-servers/crm/refresh")
        (found,) = (await boss.ask("GET", "/v1/admin/pins"))["items"]
        assert found["held"] == 1
        assert await whoami(server_of(gateway), "ann") == "tool_error"


async def test_agents_that_may_not_run_without_it(tree: Tree, house: OAuthHouse) -> None:
    """With `failure = "closed"` a run is refused to who has not granted access, and says what to do."""
    async with live(tree(WHOAMI, toml=crm(house, more='failure = "closed"')), watch=False) as gateway:
        ann, bob = Caller(gateway, ANN), Caller(gateway, BOB)
        assert await ann.code("POST", "/v1/runs", {"message": "hi"}) == (409, "auth_required")
        await granted(ann, "ann@crm")
        assert await called(ann) == "ann@crm"
        assert await bob.code("POST", "/v1/runs", {"message": "hi"}) == (409, "auth_required")


async def test_connections_end(tree: Tree, house: OAuthHouse) -> None:
    """A connection that is idle is closed, a later call opens another; none is left when the gateway stops."""
    async with live(tree(WHOAMI, toml=crm(house)), watch=False) as gateway:
        await granted(Caller(gateway, ANN), "ann@crm")
        server = server_of(gateway)
        assert server.connected == ["ann"]
        server.idle = 0.05
        server.look()
        await until(lambda: server.connected == [])
        assert await whoami(server, "ann") == "ann@crm"
        await granted(Caller(gateway, BOB), "bob@crm")
    assert server.connected == []
    await until(lambda: house.server.connections == 0)
    left = [each.get_name() for each in asyncio.all_tasks() if "MCP server" in each.get_name()]
    assert left == []


async def test_a_server_that_is_away(tree: Tree, house: OAuthHouse) -> None:
    """It is down as any other, and back without anybody granting anything again."""
    async with live(tree(WHOAMI, toml=crm(house)), watch=False) as gateway:
        ann = Caller(gateway, ANN)
        await granted(ann, "ann@crm")
        await house.server.stop()
        found: dict[str, Any] = await result(ann)
        assert found["error"]["code"] in ("connection_error", "tool_timeout")
        await house.server.start()

        async def back() -> bool:
            return await whoami(server_of(gateway), "ann") == "ann@crm"

        await eventually(back)
        await settled(gateway)
