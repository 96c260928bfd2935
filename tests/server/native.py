"""A client of the native API, and the trees that its tests use."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx2

from headgate.core.events import RunState
from headgate.engine.host import Host
from headgate.stores.records import RunFilter
from headgate.testing.harness import KEY, Live
from tests import workshop
from tests.waiting import until

OTHER, LEAD, ROBOT = "the-key-of-another", "the-key-of-the-lead", "the-key-of-a-robot"
KEYS = f"""
[auth.keys.other]
key = "{OTHER}"
[auth.keys.lead]
key = "{LEAD}"
team = "supervisors"
[auth.keys.desk]
key = "the-key-of-the-desk"
scopes = ["approvals:read", "approvals:answer"]
[auth.keys.robot]
key = "{ROBOT}"
scopes = ["agents:invoke:helper", "executions:read", "sessions:read"]
"""
DESK = "the-key-of-the-desk"
ASK = '[approvals.gate]\ntools = ["add"]\ndecide = "ask"\n'
REMEMBER = ASK + 'remember = "session"\n'
CALL = "- {text: Adding, call: add, args: {a: 1, b: 2}}\n- {text: Done}\n"
"""Asks for `add`, which the policy `gate` holds, and says that it is done."""
PICK = {"tools/pick.yaml": "kind: client\ndescription: Lets the person pick.\nexpires: 5m\n"}
HELD = "- {text: 'one two three four', call: wait, args: {name: held}}\n- {text: five six seven}\n"
"""Says four words, waits at the gate `held`, and says three more."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One server-sent event."""

    id: str
    event: str
    data: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Caller:
    """The holder of a key."""

    live: Live
    key: str = KEY

    @property
    def headers(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.key}"}

    async def send(self, method: str, path: str, body: Any = None, **headers: str) -> httpx2.Response:
        """The raw answer."""
        given = {"json": body} if body is not None else {}
        return await self.live.http.request(method, path, headers={**self.headers, **headers}, **given)

    async def ask(self, method: str, path: str, body: Any = None, status: int = 200) -> Any:
        """The JSON of the answer, which must have this status."""
        answer = await self.send(method, path, body)
        assert answer.status_code == status, answer.text
        return answer.json()

    async def code(self, method: str, path: str, body: Any = None) -> tuple[int, str]:
        """Status and code of a refusal."""
        answer = await self.send(method, path, body)
        assert answer.headers["content-type"] == "application/problem+json", answer.text
        return answer.status_code, answer.json()["error"]["code"]

    async def begin(self, message: str = "hi", **body: Any) -> str:
        """The id of a new run of the agent."""
        return str((await self.ask("POST", "/v1/runs", {"message": message, **body}, 201))["id"])

    async def waiting(self, message: str = "hi", **body: Any) -> tuple[str, list[dict[str, Any]]]:
        """A new run that has come to wait, and what it waits for."""
        run = await self.begin(message, **body)
        await settled(self.live)
        found = await self.ask("GET", f"/v1/runs/{run}")
        assert found["state"] == "waiting", found
        return run, found["waits"]

    async def state(self, run: str) -> str:
        """The state of a run."""
        return str((await self.ask("GET", f"/v1/runs/{run}"))["state"])

    @contextlib.asynccontextmanager
    async def follow(self, run: str, after: str = "", **headers: str) -> AsyncIterator[AsyncIterator[Frame]]:
        """The events of a run as they come; leaving early drops the connection."""
        wanted = {**self.headers, "accept": "text/event-stream", **headers}
        path = f"/v1/runs/{run}/events" + (f"?after={after}" if after else "")
        async with self.live.http.stream("GET", path, headers=wanted, timeout=60) as answer:
            assert answer.status_code == 200, await answer.aread()
            assert answer.headers["content-type"] == "text/event-stream"
            yield frames(answer)

    async def told(self, run: str, after: str = "") -> list[Frame]:
        """The events of a run until its stream ends."""
        async with self.follow(run, after) as events:
            return [event async for event in events]


async def frames(answer: httpx2.Response) -> AsyncIterator[Frame]:
    """The events of a stream; comments are passed over."""
    fields: dict[str, str] = {}
    async for line in answer.aiter_lines():
        if line.startswith(":"):
            continue
        if line:
            name, _, value = line.partition(": ")
            fields[name] = value
        elif fields:
            yield Frame(fields["id"], fields["event"], json.loads(fields["data"]))
            fields = {}


async def settled(live: Live) -> None:
    """Waits until nothing is going on: every run has ended or waits, and none whose question was answered is still to
    be gone on with."""
    host = live.gateway.edge.host
    async with asyncio.timeout(60):
        while host.runs or await _queued(host) or await _queued(host, "running"):  # noqa: ASYNC110 -- it has no event
            await asyncio.sleep(0.005)


async def _queued(host: Host, state: RunState = "queued") -> bool:
    return bool(await host.ledger.runs(RunFilter(state=state, limit=1)))


async def taken(live: Live, events: AsyncIterator[Frame], count: int) -> list[Frame]:
    """The next events of a stream."""
    return [await anext(events) for _ in range(count)]


def spoken(events: list[Frame]) -> str:
    """The text of the deltas."""
    return "".join(each.data["text"] for each in events if each.event == "text.delta")


def lasting(events: list[Frame]) -> list[tuple[str, str, dict[str, Any]]]:
    """The events as they are told again: deltas that were kept together share one time."""
    plain = ("text.delta", "thinking.delta")
    return [(e.id, e.event, {**e.data, "at": 0} if e.event in plain else e.data) for e in events]


async def at_gate(name: str) -> None:
    """Waits until a call stands at the gate."""
    await until(lambda: name in workshop.entered)
