"""Bearer tokens of an identity provider at the door: who they stand for, what they may, and their runs."""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from headgate.testing.harness import Live, agent_md, live
from headgate.testing.oidc_issuer import AUDIENCE, Provider, provider
from tests import workshop
from tests.conftest import Tree
from tests.server.native import Caller
from tests.waiting import until

SCRIPT = "- {call: wait, args: {name: door}}\n- {text: done}\n"
ASK = '[approvals.gate]\ntools = ["wait"]\ndecide = "ask"\n'
EGRESS = '[egress]\nallow = ["127.0.0.1"]\n'
TABLE = '\n[auth.oidc.scopes]\n"gateway.use" = ["chat"]\n"gateway.watch" = ["status:read", "usage:read"]\n'


@dataclass
class Scene:
    """A gateway that trusts a provider."""

    at: Provider
    gateway: Live

    def holder(self, subject: str = "ann", **claims: object) -> Caller:
        """Who holds a token."""
        return Caller(self.gateway, self.at.token(subject, **claims))


def trusting(at: Provider, more: str = "") -> str:
    """The tables that trust the provider."""
    return f'{EGRESS}[auth.oidc]\nissuer = "{at.url}"\naudience = "{AUDIENCE}"\n{more}{TABLE}'


@contextlib.asynccontextmanager
async def scene(at: Provider, root: Path) -> AsyncIterator[Scene]:
    """The gateway on the tree."""
    async with live(root, watch=False) as gateway:
        yield Scene(at, gateway)


async def test_who_comes_with_a_token(tree: Tree) -> None:
    """The subject is the principal; the table alone says what it may; its things are its own."""
    async with provider() as at, scene(at, tree(toml=trusting(at))) as here:
        ann, bob = here.holder("ann"), here.holder("bob", scope=["gateway.use", "openid", "admin:*"])
        run = await ann.begin()
        found = await ann.ask("GET", f"/v1/runs/{run}")
        assert (found["principal"], found["team"]) == ("oidc:ann", "default")
        assert await bob.code("GET", f"/v1/runs/{run}") == (404, "run_not_found")
        assert await bob.code("POST", "/v1/admin/reload") == (403, "insufficient_scope")
        watcher = here.holder("eve", scope="gateway.watch")
        assert (await watcher.ask("GET", "/v1/status"))["status"] == "ok"
        assert await watcher.code("POST", "/v1/runs", {"message": "x"}) == (403, "insufficient_scope")
        nobody = here.holder("eve", scope="chat admin:*")
        assert await nobody.code("GET", "/v1/status") == (403, "insufficient_scope")
        assert (await Caller(here.gateway).ask("GET", "/v1/status"))["status"] == "ok"


async def test_a_token_that_is_refused(tree: Tree) -> None:
    """401 says why, in the manner of RFC 6750; without a provider in the tree a token is no key."""
    async with provider() as at:
        async with scene(at, tree(toml=trusting(at))) as here:
            answer = await here.holder(exp=1).send("GET", "/v1/status")
            assert (answer.status_code, answer.json()["error"]["code"]) == (401, "invalid_token")
            assert "expired" in answer.json()["detail"]
            assert answer.headers["www-authenticate"] == 'Bearer error="invalid_token"'
            assert await here.holder("a\nb").code("GET", "/v1/status") == (401, "invalid_token")
        async with scene(at, tree()) as here:
            assert await here.holder().code("GET", "/v1/status") == (401, "invalid_credentials")


async def test_teams_agents_and_claims_within(tree: Tree) -> None:
    """Scopes and teams may stand deep in a token; one without its team is refused; agents are those of the table."""
    more = 'scope_claim = "realm_access.roles"\nteam_claim = "org.team"\nagents = ["helper"]\n'
    files = {"agents/other.md": agent_md(model="default/auto")}
    async with provider() as at, scene(at, tree(toml=trusting(at, more), files=files)) as here:
        ann = here.holder(scope=None, realm_access={"roles": ["gateway.use"]}, org={"team": "web"})
        run = await ann.begin()
        assert (await ann.ask("GET", f"/v1/runs/{run}"))["team"] == "web"
        assert await ann.code("POST", "/v1/runs", {"message": "x", "agent": "other"}) == (404, "agent_not_found")
        teamless = here.holder(scope=None, realm_access={"roles": ["gateway.use"]})
        assert await teamless.code("GET", "/v1/status") == (401, "invalid_token")


async def test_the_chat_api(tree: Tree) -> None:
    """A token opens a session in the place of an API key."""
    async with provider() as at, scene(at, tree(toml=trusting(at))) as here:
        http = here.gateway.http
        opened = await http.post("/api/chat/init", json={"api_key": at.token()})
        assert opened.status_code == 200, opened.text
        headers = {"authorization": f"Bearer {opened.json()['session_token']}"}
        said = await http.post("/api/chat", json={"messages": [{"role": "user", "content": "x"}]}, headers=headers)
        assert b"stream_complete" in said.content
        refused = await http.post("/api/chat/init", json={"api_key": at.token(exp=1)})
        assert (refused.status_code, refused.json()) == (401, {"detail": "the token has expired"})


async def test_a_run_outlives_its_token(tree: Tree) -> None:
    """What was begun goes on when the token is over, and after a restart when a person answers."""
    async with provider() as at:
        root = tree(SCRIPT, toml=trusting(at) + ASK)
        async with scene(at, root) as here:
            run, (wait,) = await here.holder(exp=int(time.time()) - 30).waiting()
        async with scene(at, root) as here:
            assert await Caller(here.gateway).state(run) == "waiting"
            workshop.gate("door").set()
            await here.holder().ask("POST", f"/v1/approvals/{wait['id']}", {"decision": "approve"})
            while await here.holder().state(run) != "completed":
                pass


async def test_a_provider_that_is_trusted_no_more(tree: Tree) -> None:
    """Runs of its callers end as revoked when the tree drops it, also those that wait."""
    async with provider() as at, scene(at, tree(SCRIPT, toml=trusting(at))) as here:
        boss = Caller(here.gateway)
        run = await here.holder().begin()
        await until(lambda: "door" in workshop.entered)
        toml = (here.gateway.root / "gateway.toml").read_text()
        here.gateway.edit("gateway.toml", toml.replace(trusting(at), EGRESS))
        assert (await here.gateway.reload())["status"] == "applied"
        while (found := await boss.ask("GET", f"/v1/runs/{run}"))["ended_at"] is None:
            pass
        assert found["outcome"] == "revoked"


async def test_a_kill_switch(tree: Tree) -> None:
    """A caller without a key is stopped by the principal's name."""
    async with provider() as at, scene(at, tree(SCRIPT, toml=trusting(at))) as here:
        boss = Caller(here.gateway)
        run = await here.holder().begin()
        await until(lambda: "door" in workshop.entered)
        body = {"kind": "key", "target": "oidc:ann", "reason": "Left the company."}
        await boss.ask("POST", "/v1/admin/kill-switches", body, 201)
        while (found := await boss.ask("GET", f"/v1/runs/{run}"))["ended_at"] is None:
            pass
        assert found["outcome"] == "revoked"
        assert await here.holder().code("POST", "/v1/runs", {"message": "x"}) == (403, "killed")
        await here.holder("bob").begin()


async def test_a_provider_that_is_down(tree: Tree) -> None:
    """Callers with keys do not notice; the others are told to try again."""
    async with provider() as at, scene(at, tree(toml=trusting(at))) as here:
        at.down = True
        answer = await here.holder().send("GET", "/v1/status")
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "issuer_unreachable")
        assert "retry-after" in answer.headers
        assert (await Caller(here.gateway).ask("GET", "/v1/status"))["status"] == "ok"
