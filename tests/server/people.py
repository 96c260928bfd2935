"""What the tests of people's own accounts at MCP servers share: a tree with such a server, and people with browsers."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2

from headgate.core.errors import ToolError
from headgate.mcp.asking import Asking
from headgate.mcp.personal import Personal
from headgate.testing.harness import KEY, Live
from headgate.testing.mcp_protected import OAuthHouse
from tests.server.native import Caller, settled

ANN, BOB = "the-key-of-ann-to-test", "the-key-of-bob-to-test"
KEYS = f'[auth.keys.ann]\nkey = "{ANN}"\n[auth.keys.bob]\nkey = "{BOB}"\n'
LOOPBACK = '[egress]\nallow = ["127.0.0.1"]\n'
WHOAMI = "- {text: Asking, call: crm__whoami, args: {}}\n- {text: Done}\n"
WRITE = "- {text: Writing, call: crm__write, args: {}}\n- {text: Done}\n"
AUTHORIZE, OWN = "/v1/mcp/crm/authorize", "/v1/mcp/crm/authorization"


def crm(house: OAuthHouse, *, auth: str = "", more: str = "") -> str:
    """The tables of a gateway with the server and two keys."""
    server = f'[mcp.servers.crm]\nurl = "{house.server.url}"\nconnection_timeout = "15s"\ntimeout = "8s"\n{more}\n'
    return f'{LOOPBACK}{KEYS}{server}auth = {{type = "oauth2_user"{auth}}}\n'


@dataclass(slots=True)
class Browser:
    """One person's browser: it keeps cookies, sends forms, and stops wherever it is told to. `seen` are addresses."""

    person: str
    http: httpx2.AsyncClient
    seen: list[str] = field(default_factory=list)

    async def get(self, url: str) -> httpx2.Response:
        """One page, redirects unfollowed."""
        self.seen.append(url)
        return await self.http.get(url, headers={"cookie": self._cookies(url)})

    async def press(self, url: str, **headers: str) -> httpx2.Response:
        """Sends the form of the page at the address."""
        parts = urlsplit(url)
        return await self.http.post(url, headers={"origin": f"{parts.scheme}://{parts.netloc}", **headers})

    async def consent(self, start: str) -> str:
        """From the link to where the authorization server sends people back to, which is not visited."""
        page = await self.get(start)
        assert page.status_code == 200, page.text
        began = await self.press(start)
        assert began.status_code == 303, began.text
        back = await self.get(began.headers["location"])
        assert back.status_code == 302, back.text
        return back.headers["location"]

    async def grant(self, start: str) -> httpx2.Response:
        """All the way; the last page."""
        return await self.get(await self.consent(start))

    def _cookies(self, url: str) -> str:
        """Those that the jar has for the address, and who is signed in at the authorization server."""
        request = self.http.build_request("GET", url)
        held = request.headers.get("cookie", "")
        return "; ".join(filter(None, [held, f"person={self.person}"]))


@contextlib.asynccontextmanager
async def browser(person: str) -> AsyncIterator[Browser]:
    """The browser of a person who is signed in at the authorization server."""
    async with httpx2.AsyncClient(follow_redirects=False, trust_env=False, timeout=30) as http:
        yield Browser(person, http)


async def link(caller: Caller) -> str:
    """A link with which the holder of the key can grant access."""
    return str((await caller.ask("POST", AUTHORIZE, status=201))["url"])


async def granted(caller: Caller, person: str) -> None:
    """The holder of the key, who is signed in as this person, grants access."""
    async with browser(person) as own:
        page = await own.grant(await link(caller))
        assert page.status_code == 200, page.text


async def called(caller: Caller) -> Any:
    """What the one call of a run of the agent answered: the text, or the code of its failure."""
    run = await caller.begin()
    await settled(caller.live)
    (done,) = [each.data["result"] for each in await caller.told(run) if each.event == "tool.completed"]
    return done["error"]["code"] if done["status"] == "error" else done["content"][0]["text"]


async def result(caller: Caller) -> dict[str, Any]:
    """The whole result of that call."""
    run = await caller.begin()
    await settled(caller.live)
    (done,) = [each.data["result"] for each in await caller.told(run) if each.event == "tool.completed"]
    return dict(done)


async def eventually(happened: Callable[[], Awaitable[object]]) -> None:
    """Returns when what is asked again and again is true; a test that waits in vain fails after 20 seconds."""
    async with asyncio.timeout(20):
        while not await happened():  # noqa: ASYNC110 -- what is asked for has no event of its own
            await asyncio.sleep(0.01)


async def audited(live: Live, kind: str) -> list[dict[str, Any]]:
    """The records of this kind, newest first."""
    return list((await Caller(live, KEY).ask("GET", f"/v1/audit?kind={kind}"))["items"])


def state_of(url: str) -> str:
    """The state in an address."""
    return parse_qs(urlsplit(url).query)["state"][0]


def text_of(page: httpx2.Response) -> str:
    """The text of a page without its tags."""
    return re.sub(r"<[^>]+>", " ", page.text)


def server_of(gateway: Live, name: str = "crm") -> Personal:
    """The open server."""
    found = gateway.gateway.snapshot.servers[name]
    assert isinstance(found, Personal)
    return found


async def whoami(server: Personal, account: str) -> str:
    """The answer of one call for the account, or the code of its failure."""
    try:
        answer = await server.call("whoami", {}, Asking(asyncio.get_running_loop().time() + 10, account=account))
    except ToolError as error:
        return error.code
    return str(answer.content[0].text)
