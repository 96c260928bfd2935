"""What one person granted is not used for another, and nothing is asked where it must not be."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from headgate.server.authorizations import vault_of
from headgate.testing.harness import KEY, Live, live
from headgate.testing.mcp_protected import OAuthHouse
from headgate.testing.oidc_issuer import provider
from tests.conftest import Tree
from tests.server.mcp_servers import boss_of, health
from tests.server.native import Caller, settled
from tests.server.people import (
    ANN,
    AUTHORIZE,
    BOB,
    LOOPBACK,
    OWN,
    WHOAMI,
    browser,
    called,
    crm,
    eventually,
    granted,
    result,
    server_of,
    whoami,
)
from tests.server.test_oidc import trusting
from tests.waiting import until


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
            kept = (await boss.ask("GET", "/v1/status"))["overlay"]["documents"]
            return ("mcp.pins", "crm") in [(each["kind"], each["name"]) for each in kept]

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


async def test_a_server_that_refuses_late(tree: Tree, house: OAuthHouse) -> None:
    """One that lets everybody connect, and wants a credential for the listing, waits for somebody to grant access."""
    house.server.late = True
    async with live(tree(WHOAMI, toml=crm(house)), watch=False) as gateway:
        found = await health(boss_of(gateway), "crm")
        assert found is not None
        assert (found["state"], found["error"]) == ("unauthorized", None)
        await granted(Caller(gateway, ANN), "ann@crm")
        assert await called(Caller(gateway, ANN)) == "ann@crm"


async def test_tools_say_whose_they_are(tree: Tree, house: OAuthHouse) -> None:
    """Whoever looks at a tool sees whether they have granted what a call of it needs."""
    async with live(tree(WHOAMI, toml=crm(house)), watch=False) as gateway:
        ann, bob = Caller(gateway, ANN), Caller(gateway, BOB)
        await granted(ann, "ann@crm")
        looked = [(await each.ask("GET", "/v1/tools/crm__whoami"))["authorization"] for each in (ann, bob)]
        assert looked == ["granted", "missing"]
        assert (await ann.ask("GET", "/v1/tools/add"))["authorization"] is None


async def test_answers_of_a_cache_are_not_shared(tree: Tree, house: OAuthHouse) -> None:
    """What the account of one person was answered is not told another, though the cache is for everybody."""
    cache = '[interceptors.memory]\nkind = "cache"\nper = "all"\ntools = ["*"]\n'
    rename = "kind: mcp\nserver: crm\ntool: whoami\ndescription: Who.\nannotations: {read_only: true}\n"
    script = "- {text: Asking, call: me, args: {}}\n- {text: Done}\n"
    root = tree(script, toml=crm(house) + cache, files={"tools/me.yaml": rename})
    async with live(root, watch=False) as gateway:
        ann, bob = Caller(gateway, ANN), Caller(gateway, BOB)
        await granted(ann, "ann@crm")
        assert [await called(ann) for _ in range(2)] == ["ann@crm", "ann@crm"]
        assert house.server.calls == ["whoami"]
        assert await called(bob) == "auth_required"
        await granted(bob, "bob@crm")
        assert await called(bob) == "bob@crm"


async def test_addresses_that_are_not_plain(tree: Tree, house: OAuthHouse) -> None:
    """Nobody is sent to an address with a name and a password in it, or over plain HTTP to another machine."""
    async with live(tree(WHOAMI, toml=crm(house)), watch=False) as gateway:
        ann = Caller(gateway, ANN)
        for url in ("https://gateway.example.com@evil.example.com/x", "http://login.example.com/x", "https://a;b/x"):
            house.authority.says = {"authorization_endpoint": url}
            assert await ann.code("POST", AUTHORIZE) == (502, "auth_error")


async def test_callers_of_an_identity_provider(tree: Tree, house: OAuthHouse) -> None:
    """Who comes with a token of a provider has grants of their own, also after a restart; somebody of the same name
    with another provider has none of them."""
    toml = crm(house).removeprefix(LOOPBACK)
    async with provider() as one, provider() as other:
        root = tree(WHOAMI, toml=trusting(one) + toml)
        async with live(root, watch=False) as gateway:
            ann = Caller(gateway, one.token("ann"))
            await granted(ann, "ann@crm")
            assert await called(ann) == "ann@crm"
            assert (await ann.ask("GET", OWN))["key"] == "oidc:ann"
        async with live(root, watch=False) as gateway:
            assert await called(Caller(gateway, one.token("ann"))) == "ann@crm"
            text = (root / "gateway.toml").read_text()
            (root / "gateway.toml").write_text(text.replace(one.url, other.url))
            await gateway.reload()
            stranger = Caller(gateway, other.token("ann"))
            assert (await stranger.ask("GET", OWN))["state"] == "missing"
            assert await called(stranger) == "auth_required"

            async def forgotten() -> bool:
                kept = await vault_of(gateway.gateway.edge).all()
                return not [each for each in kept if each[0] == "grant"]

            await eventually(forgotten)


async def test_prompts_and_resources(tree: Tree, house: OAuthHouse) -> None:
    """What a server offers besides tools is asked for with the account of who asks, and with no other."""
    async with live(tree(WHOAMI, toml=crm(house)), watch=False) as gateway:
        ann, bob = Caller(gateway, ANN), Caller(gateway, BOB)
        await granted(ann, "ann@crm")
        assert await ann.ask("GET", "/v1/mcp/crm/prompts") == []
        assert await bob.code("GET", "/v1/mcp/crm/prompts") == (409, "auth_required")
        assert await bob.code("GET", "/v1/mcp/crm/resources") == (409, "auth_required")
