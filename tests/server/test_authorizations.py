"""People let the gateway use their own accounts of an MCP server: the whole way, against real servers."""

from __future__ import annotations

import asyncio
import re
from urllib.parse import parse_qs, urlsplit

import pytest
from msgspec.structs import replace

from headgate.testing.harness import KEY, live
from headgate.testing.mcp_protected import OAuthHouse
from tests.conftest import Tree
from tests.server.mcp_servers import health
from tests.server.native import Caller, settled
from tests.server.people import (
    ANN,
    AUTHORIZE,
    BOB,
    OWN,
    WHOAMI,
    audited,
    browser,
    called,
    crm,
    granted,
    link,
    state_of,
    text_of,
)


async def test_two_people_are_kept_apart(tree: Tree, house: OAuthHouse) -> None:
    """Each calls with the account that they granted, and nobody without one."""
    async with live(tree(WHOAMI, toml=crm(house)), watch=False) as gateway:
        ann, bob = Caller(gateway, ANN), Caller(gateway, BOB)
        await granted(ann, "ann@crm")
        assert await called(ann) == "ann@crm"
        assert await called(bob) == "auth_required"
        await granted(bob, "bob@crm")
        assert (await called(bob), await called(ann)) == ("bob@crm", "ann@crm")
        assert (await ann.ask("GET", OWN))["state"] == "granted"
        assert len(house.authority.tokens) == 2


async def test_what_is_answered(tree: Tree, house: OAuthHouse) -> None:
    """A grant is shown without tokens, to its own key alone, and so are the server and its tools."""
    async with live(tree(WHOAMI, toml=crm(house)), watch=False) as gateway:
        ann, bob, boss = Caller(gateway, ANN), Caller(gateway, BOB), Caller(gateway, KEY)
        assert await ann.ask("GET", OWN) == {
            "server": "crm", "key": "ann", "state": "missing", "id": None, "granted_at": None, "expires_at": None,
            "refreshable": False, "scopes": [], "wanted": [], "authorization_server": None,
        }  # fmt: skip
        before = await health(boss, "crm")
        assert before is not None
        assert (before["state"], before["error"], before["authorizations"]) == ("unauthorized", None, 0)
        asked = await ann.ask("POST", AUTHORIZE, status=201)
        assert (asked["server"], asked["key"], asked["url"].startswith(gateway.url)) == ("crm", "ann", True)
        await granted(ann, "ann@crm")
        found = await ann.ask("GET", OWN)
        assert (found["state"], found["scopes"], found["refreshable"]) == ("granted", ["read"], True)
        assert found["authorization_server"] == house.authority.url
        assert (await bob.ask("GET", OWN))["state"] == "missing"
        after = await health(boss, "crm")
        assert after is not None
        assert (after["state"], after["tools"], after["authorizations"]) == ("ready", 2, 1)
        (server,) = await boss.ask("GET", "/v1/admin/mcp-servers")
        assert (server["auth_type"], server["connected"], server["tool_count"]) == ("oauth2_user", True, 2)
        assert {"crm__whoami", "crm__write"} <= {each["name"] for each in await bob.ask("GET", "/v1/tools")}
        said = [str(await boss.ask("GET", path)) for path in ("/v1/status", "/v1/admin/mcp-servers", "/v1/audit")]
        said.append(str(found))
        secrets = [*house.authority.tokens, *house.authority.refreshing, "secret-of-client-1"]
        assert not [each for each in secrets if any(each in text for text in said)]


async def test_a_call_without_a_grant(tree: Tree, house: OAuthHouse) -> None:
    """The model reads what the person has to do; the run goes on, and after the grant the next call works."""
    async with live(tree(WHOAMI, toml=crm(house)), watch=False) as gateway:
        ann, bob = Caller(gateway, ANN), Caller(gateway, BOB)
        await granted(ann, "ann@crm")
        run = await bob.begin()
        await settled(gateway)
        assert await bob.state(run) == "completed"
        (told,) = [each.data["result"]["error"] for each in await bob.told(run) if each.event == "tool.completed"]
        assert told["code"] == "auth_required"
        assert "POST /v1/mcp/crm/authorize" in told["message"]
        assert told["details"] == {"server": "crm", "authorize": AUTHORIZE, "reason": "missing"}
        await granted(bob, "bob@crm")
        assert await called(bob) == "bob@crm"


async def test_pages(tree: Tree, house: OAuthHouse) -> None:
    """The page says for whom and where access is granted, runs no scripts, and looking at it begins nothing."""
    async with live(tree(WHOAMI, toml=crm(house)), watch=False) as gateway, browser("ann@crm") as own:
        start = await link(Caller(gateway, ANN))
        for _ in range(3):
            page = await own.get(start)
        assert page.status_code == 200
        for said in ("crm", "ann", "127.0.0.1", "read"):
            assert said in text_of(page)
        policy = page.headers["content-security-policy"]
        assert f"form-action 'self' https: {house.authority.url};" in policy
        assert [each in policy for each in ("default-src 'none'", "frame-ancestors 'none'")] == [True, True]
        assert page.headers["cache-control"] == "no-store"
        assert (await own.http.head(start)).status_code == 405
        assert house.authority.visits == []
        began = await own.press(start)
        cookie = began.headers["set-cookie"]
        assert {"HttpOnly", "SameSite=Lax", "Path=/oauth/callback"} <= set(cookie.split("; "))
        assert (began.status_code, began.headers["referrer-policy"]) == (303, "no-referrer")
        query = parse_qs(urlsplit(began.headers["location"]).query)
        assert (query["code_challenge_method"], query["resource"]) == (["S256"], [house.server.url])
        assert query["redirect_uri"] == [f"{gateway.url}/oauth/callback"]
        done = await own.get((await own.get(began.headers["location"])).headers["location"])
        assert (done.status_code, done.headers["referrer-policy"]) == (200, "no-referrer")
        assert "agents of key ann" in text_of(done).lower()
        assert "Max-Age=0" in done.headers["set-cookie"]
        told = await audited(gateway, "mcp_authorization.granted")
        assert [(each["key"], each["details"]["server"]) for each in told] == [("ann", "crm")]


async def test_a_form_of_another_page(tree: Tree, house: OAuthHouse) -> None:
    """A page of another origin cannot press the button."""
    async with live(tree(WHOAMI, toml=crm(house)), watch=False) as gateway, browser("ann@crm") as own:
        start = await link(Caller(gateway, ANN))
        assert (await own.press(start, origin="https://elsewhere.example.com")).status_code == 403
        assert (await own.press(start)).status_code == 303


async def test_a_link_that_was_handed_on(tree: Tree, house: OAuthHouse) -> None:
    """Who begins in one browser cannot have another person's browser come back: nothing is granted to the first."""
    async with live(tree(WHOAMI, toml=crm(house)), watch=False) as gateway:
        ann = Caller(gateway, ANN)
        start = await link(ann)
        async with browser("attacker") as first, browser("victim") as second:
            began = await first.press(start)
            back = (await second.get(began.headers["location"])).headers["location"]
            page = await second.get(back)
            assert (page.status_code, "another browser" in page.text) == (410, True)
            assert (await first.get(back)).status_code == 404  # it is over for the first one, too
        assert (await ann.ask("GET", OWN))["state"] == "missing"
        assert house.authority.asked == []
        told = await audited(gateway, "mcp_authorization.refused")
        assert [(each["key"], each["outcome"]) for each in told] == [("ann", "another_browser")]


async def test_answers_count_once(tree: Tree, house: OAuthHouse) -> None:
    """What was answered cannot be answered again, neither by the address nor by the link."""
    async with live(tree(WHOAMI, toml=crm(house)), watch=False) as gateway, browser("ann@crm") as own:
        start = await link(Caller(gateway, ANN))
        back = await own.consent(start)
        pages = await asyncio.gather(*(own.get(back) for _ in range(4)))
        assert sorted(each.status_code for each in pages) == [200, 404, 404, 404]
        assert (await own.get(start)).status_code == 404
        assert (await own.press(start)).status_code == 404
        assert len(house.authority.asked) == 1


async def test_answers_that_come_too_late(tree: Tree, house: OAuthHouse) -> None:
    """When the time of a question is over, neither its link nor an answer to it counts."""
    async with live(tree(WHOAMI, toml=crm(house)), watch=False) as gateway, browser("ann@crm") as own:
        ann, ledger = Caller(gateway, ANN), gateway.gateway.edge.host.ledger
        start = await link(ann)
        back = await own.consent(start)
        (flow,) = [each for each in await ledger.credentials() if each.kind == "flow"]
        assert flow.expires_at is not None
        await ledger.put_credential(replace(flow, expires_at=flow.expires_at - 600))
        assert [(await own.get(each)).status_code for each in (start, back)] == [404, 404]
        assert (await ann.ask("GET", OWN))["state"] == "missing"
        assert house.authority.asked == []


@pytest.mark.parametrize("change", ["state", "code", "issuer", "twice", "no state"])
async def test_answers_that_were_changed(tree: Tree, house: OAuthHouse, change: str) -> None:
    """A state that was made up, a code of somebody else, another issuer: nothing is granted."""
    async with live(tree(WHOAMI, toml=crm(house)), watch=False) as gateway, browser("ann@crm") as own:
        ann = Caller(gateway, ANN)
        back = await own.consent(await link(ann))
        state = state_of(back)
        changed = {
            "state": back.replace(state, f"{state[:-4]}AAAA"), "code": re.sub("code=[^&]+", "code=made-up", back),
            "issuer": re.sub("iss=[^&]+", "iss=https%3A%2F%2Fother.example.com", back), "twice": f"{back}&state=x",
            "no state": back.replace(f"state={state}", "state="),
        }  # fmt: skip
        page = await own.get(changed[change])
        assert page.status_code in (404, 410, 502)
        assert "Nothing was granted" in page.text
        assert (await ann.ask("GET", OWN))["state"] == "missing"
        asked = [each["code"] for each in house.authority.asked]
        assert asked == (["made-up"] if change == "code" else [])


async def test_refusals_of_the_person(tree: Tree, house: OAuthHouse) -> None:
    """Who says no is told so in words of the gateway, and the audit log has it."""
    house.authority.denies = True
    async with live(tree(WHOAMI, toml=crm(house)), watch=False) as gateway, browser("ann@crm") as own:
        ann = Caller(gateway, ANN)
        page = await own.grant(await link(ann))
        assert (page.status_code, "access was not granted" in page.text, "<b>no</b>" in page.text) == (410, True, False)
        assert (await ann.ask("GET", OWN))["state"] == "missing"
        told = await audited(gateway, "mcp_authorization.refused")
        assert [each["outcome"] for each in told] == ["access_denied"]


async def test_an_authorization_server_that_fails(tree: Tree, house: OAuthHouse) -> None:
    """What went wrong is said at once where it is known, and no secret of the way is in it."""
    async with live(tree(WHOAMI, toml=crm(house)), watch=False) as gateway, browser("ann@crm") as own:
        ann = Caller(gateway, ANN)
        house.authority.down = True
        assert await ann.code("POST", AUTHORIZE) == (502, "auth_error")
        house.authority.down = False
        back = await own.consent(await link(ann))
        house.authority.refusing = "temporarily_unavailable"
        page = await own.get(back)
        code = parse_qs(urlsplit(back).query)["code"][0]
        assert (page.status_code, code in page.text) == (502, False)
        assert (await ann.ask("GET", OWN))["state"] == "missing"
        house.authority.refusing, house.authority.says = "", {"code_challenge_methods_supported": ["plain"]}
        assert await ann.code("POST", AUTHORIZE) == (502, "auth_error")
        house.authority.says = {"issuer": "https://other.example.com"}
        assert await ann.code("POST", AUTHORIZE) == (502, "auth_error")


async def test_taking_back(tree: Tree, house: OAuthHouse) -> None:
    """A grant that is taken back is gone here and there, and its connection is closed; others keep theirs."""
    async with live(tree(WHOAMI, toml=crm(house)), watch=False) as gateway:
        ann, bob = Caller(gateway, ANN), Caller(gateway, BOB)
        await granted(ann, "ann@crm")
        await granted(bob, "bob@crm")
        assert (await called(ann), await called(bob)) == ("ann@crm", "bob@crm")
        assert await ann.ask("DELETE", OWN) == {"server": "crm", "revoked": True, "at_server": True}
        assert {each.person for each in house.authority.tokens.values()} == {"bob@crm"}
        assert (await called(ann), await called(bob)) == ("auth_required", "bob@crm")
        assert await ann.ask("DELETE", OWN) == {"server": "crm", "revoked": False, "at_server": False}
        told = await audited(gateway, "mcp_authorization.revoked")
        assert [each["key"] for each in told] == ["ann"]
        await granted(ann, "other@crm")
        assert await called(ann) == "other@crm"


async def test_the_old_grant_goes_with_a_new_one(tree: Tree, house: OAuthHouse) -> None:
    """Who grants again with another account calls with that one from then on."""
    async with live(tree(WHOAMI, toml=crm(house)), watch=False) as gateway:
        ann = Caller(gateway, ANN)
        await granted(ann, "first@crm")
        assert await called(ann) == "first@crm"
        await granted(ann, "second@crm")
        assert await called(ann) == "second@crm"


async def test_servers_that_are_not_for_this(tree: Tree, house: OAuthHouse) -> None:
    """Only servers that the key's agents have, and that are used with accounts of people, can be granted access to."""
    more = f'[mcp.servers.plain]\nurl = "{house.server.url}"\n[auth.keys.blind]\nkey = "sees-no-agents"\nagents = []\n'
    async with live(tree(WHOAMI, toml=crm(house) + more), watch=False) as gateway:
        ann, blind = Caller(gateway, ANN), Caller(gateway, "sees-no-agents")
        for path in ("authorize", "authorization"):
            method = "POST" if path == "authorize" else "GET"
            assert await ann.code(method, f"/v1/mcp/none/{path}") == (404, "mcp_server_not_found")
            assert await ann.code(method, f"/v1/mcp/plain/{path}") == (409, "not_personal")
            assert await blind.code(method, f"/v1/mcp/crm/{path}") == (404, "mcp_server_not_found")
