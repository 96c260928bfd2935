"""What becomes of grants while tokens end and servers fail."""

from __future__ import annotations

import asyncio

from msgspec.structs import replace

from headgate.server.authorizations import vault_of
from headgate.testing.harness import live
from headgate.testing.mcp_protected import OAuthHouse
from tests.conftest import Tree
from tests.server.mcp_servers import boss_of, health
from tests.server.native import Caller
from tests.server.people import (
    ANN,
    AUTHORIZE,
    BOB,
    OWN,
    WHOAMI,
    WRITE,
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


def refreshes(house: OAuthHouse) -> int:
    """How often the token endpoint was asked for another token."""
    return sum(each["grant_type"] == "refresh_token" for each in house.authority.asked)


async def test_a_token_that_ended_is_refreshed_once(tree: Tree, house: OAuthHouse) -> None:
    """However many calls find that their token has ended, one request gets the next; each person's is their own."""
    async with live(tree(WHOAMI, toml=crm(house)), watch=False) as gateway:
        await granted(Caller(gateway, ANN), "ann@crm")
        await granted(Caller(gateway, BOB), "bob@crm")
        server = server_of(gateway)
        house.authority.spoil()
        accounts = ["ann", "bob"] * 15
        came = await asyncio.gather(*(whoami(server, each) for each in accounts))
        assert list(came) == [f"{each}@crm" for each in accounts]
        assert refreshes(house) == 2
        assert len(house.authority.refreshing) == 2


async def test_a_token_that_ended_while_the_gateway_was_down(tree: Tree, house: OAuthHouse) -> None:
    """One that has ended by the clock is not sent any more: it is replaced first."""
    async with live(tree(WHOAMI, toml=crm(house)), watch=False) as gateway:
        await granted(Caller(gateway, ANN), "ann@crm")
        (first,) = house.authority.tokens
        grants = server_of(gateway).grants
        held = await grants.read("ann")
        assert held is not None
        assert await grants.change("ann", held, replace(held.grant, expires_at=1.0))
    house.server.sent.clear()
    async with live(gateway.root, watch=False) as gateway:
        assert await called(Caller(gateway, ANN)) == "ann@crm"
        assert f"Bearer {first}" not in house.server.sent
        assert refreshes(house) == 1


async def test_restarts(tree: Tree, house: OAuthHouse) -> None:
    """Grants and the listing outlive a restart, and nothing is asked of the server for it."""
    async with live(tree(WHOAMI, toml=crm(house)), watch=False) as gateway:
        await granted(Caller(gateway, ANN), "ann@crm")
    house.server.sent.clear()
    async with live(gateway.root, watch=False) as gateway:
        found = await health(boss_of(gateway), "crm")
        assert found is not None
        assert (found["state"], found["tools"], found["authorizations"]) == ("ready", 2, 1)
        assert house.server.sent == []
        assert await called(Caller(gateway, ANN)) == "ann@crm"
        assert await called(Caller(gateway, BOB)) == "auth_required"


async def test_a_restart_while_somebody_is_asked(tree: Tree, house: OAuthHouse) -> None:
    """Who comes back to a gateway that was restarted meanwhile has granted access all the same."""
    root = tree(WHOAMI, toml='[server]\npublic_url = "http://localhost:1"\n' + crm(house))
    async with browser("ann@crm") as own:
        async with live(root, watch=False) as gateway:
            start = (await link(Caller(gateway, ANN))).replace("http://localhost:1", gateway.url)
            began = await own.press(start)
            cookie = began.headers["set-cookie"].partition(";")[0]
            back = (await own.get(began.headers["location"])).headers["location"]
        async with live(root, watch=False) as gateway:
            there = back.replace("http://localhost:1", gateway.url)
            page = await own.http.get(there, headers={"cookie": cookie})
            assert page.status_code == 200, page.text
            assert await called(Caller(gateway, ANN)) == "ann@crm"


async def test_a_grant_that_the_authorization_server_took_back(tree: Tree, house: OAuthHouse) -> None:
    """The person is asked again, the dead grant is forgotten, and a new one works."""
    async with live(tree(WHOAMI, toml=crm(house)), watch=False) as gateway:
        ann = Caller(gateway, ANN)
        await granted(ann, "ann@crm")
        assert await called(ann) == "ann@crm"
        house.authority.forget_all()
        told = await result(ann)
        assert (told["error"]["code"], told["error"]["details"]["reason"]) == ("auth_required", "lost")
        assert (await ann.ask("GET", OWN))["state"] == "missing"
        await granted(ann, "ann@crm")
        assert await called(ann) == "ann@crm"


async def test_an_authorization_server_that_is_away(tree: Tree, house: OAuthHouse) -> None:
    """A refresh that fails for now leaves the grant: the call fails, and a later one works."""
    async with live(tree(WHOAMI, toml=crm(house)), watch=False) as gateway:
        ann = Caller(gateway, ANN)
        await granted(ann, "ann@crm")
        house.authority.spoil()
        house.authority.refusing = "temporarily_unavailable"
        assert await called(ann) == "auth_error"
        house.authority.refusing = ""
        assert (await ann.ask("GET", OWN))["state"] == "granted"

        async def back() -> bool:
            return bool(await called(ann) == "ann@crm")

        await eventually(back)


async def test_tokens_that_cannot_be_refreshed(tree: Tree, house: OAuthHouse) -> None:
    """A token without an end and without a refresh token is used until the server refuses it."""
    house.authority.refreshes, house.authority.lifetime = False, None
    async with live(tree(WHOAMI, toml=crm(house)), watch=False) as gateway:
        ann = Caller(gateway, ANN)
        await granted(ann, "ann@crm")
        found = await ann.ask("GET", OWN)
        assert (found["refreshable"], found["expires_at"]) == (False, None)
        assert [await called(ann) for _ in range(2)] == ["ann@crm"] * 2
        house.authority.spoil()
        assert await called(ann) == "auth_required"


async def test_a_server_that_refuses_good_tokens(tree: Tree, house: OAuthHouse) -> None:
    """Tokens that are refreshed and still refused are the person's to mend, and do not become a flood of requests."""
    async with live(tree(WHOAMI, toml=crm(house)), watch=False) as gateway:
        ann = Caller(gateway, ANN)
        await granted(ann, "ann@crm")
        for issued in house.authority.refreshing.values():
            issued.audience = "https://other.example.com"
        house.authority.spoil()
        told = await result(ann)
        assert (told["error"]["code"], told["error"]["details"]["reason"]) == ("auth_required", "refused")
        assert refreshes(house) <= 2


async def test_a_refresh_outlives_who_asked(tree: Tree, house: OAuthHouse) -> None:
    """A refresh token is good for one use: what it was exchanged for is kept although the call was given up."""
    async with live(tree(WHOAMI, toml=crm(house)), watch=False) as gateway:
        await granted(Caller(gateway, ANN), "ann@crm")
        server = server_of(gateway)
        assert await whoami(server, "ann") == "ann@crm"
        house.authority.spoil()
        house.authority.held = asyncio.Event()
        call = asyncio.create_task(whoami(server, "ann"))
        await until(lambda: refreshes(house) == 1)
        call.cancel()
        await asyncio.wait([call])
        house.authority.held.set()
        assert await whoami(server, "ann") == "ann@crm"
        assert refreshes(house) == 1


async def test_taking_back_while_a_token_is_refreshed(tree: Tree, house: OAuthHouse) -> None:
    """What is taken back stays away, though an answer of the authorization server comes later."""
    async with live(tree(WHOAMI, toml=crm(house)), watch=False) as gateway:
        ann = Caller(gateway, ANN)
        await granted(ann, "ann@crm")
        server = server_of(gateway)
        assert await whoami(server, "ann") == "ann@crm"
        house.authority.spoil()
        house.authority.held = asyncio.Event()
        call = asyncio.create_task(whoami(server, "ann"))
        await until(lambda: refreshes(house) == 1)
        leaving = asyncio.create_task(ann.ask("DELETE", OWN))
        custody = vault_of(gateway.gateway.edge)

        async def forgotten() -> bool:
            return await custody.read("grant", "ann", "crm") is None

        await eventually(forgotten)
        house.authority.held.set()
        assert (await leaving)["revoked"] is True
        assert await call == "auth_required"
        assert await whoami(server, "ann") == "auth_required"


async def test_more_scopes(tree: Tree, house: OAuthHouse) -> None:
    """Where the server wants more, the person is told what, and is asked for it together with what they granted."""
    house.server.wants = "write"
    async with live(tree(WRITE, toml=crm(house)), watch=False) as gateway, browser("ann@crm") as own:
        ann = Caller(gateway, ANN)
        await granted(ann, "ann@crm")
        told = await result(ann)
        assert told["error"]["details"] == {
            "server": "crm", "authorize": AUTHORIZE, "reason": "scope", "scope": "write",
        }  # fmt: skip
        assert (await ann.ask("GET", OWN))["wanted"] == ["write"]
        await own.grant(await link(ann))
        assert house.authority.visits[-1]["scope"].split() == ["read", "write"]
        assert await called(ann) == "ann@crm"
        found = await ann.ask("GET", OWN)
        assert (found["scopes"], found["wanted"]) == (["read", "write"], [])


async def test_a_registration_that_is_gone(tree: Tree, house: OAuthHouse) -> None:
    """Where the authorization server has forgotten the gateway, it registers anew, and people are asked again."""
    async with live(tree(WHOAMI, toml=crm(house)), watch=False) as gateway:
        ann = Caller(gateway, ANN)
        await granted(ann, "ann@crm")
        house.authority.clients = {"other": {"redirect_uris": []}}
        house.authority.spoil()
        assert await called(ann) == "auth_required"
        await granted(ann, "ann@crm")
        assert await called(ann) == "ann@crm"
        assert list(house.authority.clients) == ["other", "client-2"]
