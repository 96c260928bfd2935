"""A folder becomes a live gateway on a real socket of this machine, and a client that speaks to it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2

from headgate.boot import KEEPALIVE, Gateway, GatewayServer, Place, open_gateway
from headgate.core.kind import Kinds
from headgate.kinds import DEFAULT_KINDS

KEY = "test-key-of-the-harness"
Events = list[dict[str, Any]]


def write_tree(root: Path, files: Mapping[str, str]) -> Path:
    """Writes files by their posix path below `root`."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return root


def gateway_toml(extra: str = "", *, top: str = "", provider: str = 'kind = "scripted"\nscript = "script.yaml"') -> str:
    """A small `gateway.toml`: one key (`KEY`), one provider called `default`, a short settling time.

    `top` holds keys that stand before the first table, `extra` more tables.
    """
    return (
        f'version = 1\nname = "test"\n{top}\n[reload]\nsettle = "20ms"\n'
        f'[auth.keys.tester]\nkey = "${{env:HARNESS_KEY:-{KEY}}}"\nscopes = ["chat", "admin:*"]\n'
        f"[providers.default]\n{provider}\n{extra}\n"
    )


def agent_md(prompt: str = "You help.", **keys: Any) -> str:
    """An agent file; keys are written as JSON, which YAML reads."""
    front = "".join(f"{name}: {json.dumps(value)}\n" for name, value in {"description": "Helps.", **keys}.items())
    return f"---\n{front}---\n{prompt}\n"


@dataclass(frozen=True, slots=True)
class Live:
    """A gateway that serves, and an HTTP client that knows its address."""

    url: str
    gateway: Gateway
    http: httpx2.AsyncClient
    root: Path
    key: str = KEY
    headers: Mapping[str, str] = field(default_factory=lambda: {"authorization": f"Bearer {KEY}"})

    async def session(self, agent: str | None = None) -> Conversation:
        """A session of the compatible chat API."""
        headers = {"x-headgate-agent": agent} if agent else {}
        answer = await self.http.post("/api/chat/init", json={"api_key": self.key}, headers=headers)
        answer.raise_for_status()
        return Conversation(self.http, answer.json()["session_token"], answer.json()["session_id"])

    async def get(self, path: str, status: int = 200) -> Any:
        """The JSON of a native route."""
        answer = await self.http.get(path, headers=dict(self.headers))
        assert answer.status_code == status, answer.text
        return answer.json()

    async def reload(self) -> dict[str, Any]:
        """Compiles the tree now, and says what became of it."""
        answer = await self.http.post("/v1/admin/reload", headers=dict(self.headers))
        body: dict[str, Any] = answer.json()
        return body

    def edit(self, name: str, text: str) -> None:
        """Replaces a file as editors do: a new one is written beside it and renamed."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_name(f".{path.name}.new")
        fresh.write_text(text, encoding="utf-8")
        fresh.replace(path)


@dataclass(slots=True)
class Conversation:
    """A client of the compatible chat API: it keeps the messages and posts all of them, as those clients do."""

    http: httpx2.AsyncClient
    token: str
    id: str
    messages: list[dict[str, str]] = field(default_factory=list)

    @property
    def headers(self) -> dict[str, str]:
        """The bearer token."""
        return {"authorization": f"Bearer {self.token}"}

    async def say(self, text: str, **body: Any) -> Events:
        """Posts one more message and reads the whole stream; the answer joins the conversation."""
        self.messages.append({"role": "user", "content": text})
        async with self.stream(**body) as events:
            seen = [event async for event in events]
        said = spoken(seen)
        if said:
            self.messages.append({"role": "assistant", "content": said})
        return seen

    @contextlib.asynccontextmanager
    async def stream(self, **body: Any) -> AsyncIterator[AsyncIterator[dict[str, Any]]]:
        """Posts the conversation and yields the events as they come; leaving early drops the connection."""
        posted = {"messages": self.messages, **body}
        async with self.http.stream("POST", "/api/chat", json=posted, headers=self.headers, timeout=60) as answer:
            if answer.status_code != 200:
                await answer.aread()
                answer.raise_for_status()
            yield _events(answer)


def spoken(events: Events) -> str:
    """The text that a client is left with: what a retried turn had said is discarded."""
    done, turn = "", ""
    for event in events:
        if event["type"] == "text_delta":
            turn += event["text"]
        elif event["type"] == "stream_retry":
            turn = ""
        elif event["type"] == "tool_call_start":
            done, turn = done + turn, ""
    return done + turn


async def _events(answer: httpx2.Response) -> AsyncIterator[dict[str, Any]]:
    async for line in answer.aiter_lines():
        if line:
            yield json.loads(line.removeprefix("data: "))


@contextlib.asynccontextmanager
async def live(
    root: Path, *, environ: Mapping[str, str] | None = None, kinds: Kinds = DEFAULT_KINDS, watch: bool = True,
    grace: float = 0.2, keepalive: float = KEEPALIVE,
) -> AsyncIterator[Live]:  # fmt: skip
    """Serves the tree at `root` on 127.0.0.1 and a free port until the block is left.

    Running work gets `grace` seconds then; `keepalive` is in seconds, too.
    """
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        place = Place(tree=root, host="127.0.0.1", port=port, environ=dict(environ or {}), kinds=kinds)
        url = f"http://127.0.0.1:{port}"
        async with (
            open_gateway(place, watch=watch, keepalive=keepalive) as gateway,
            _serving(GatewayServer(gateway, grace=grace), listener),
            httpx2.AsyncClient(base_url=url, trust_env=False, timeout=60, verify=False) as http,
        ):
            yield Live(url, gateway, http, root)


@contextlib.asynccontextmanager
async def _serving(server: GatewayServer, listener: socket.socket) -> AsyncIterator[None]:
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        while not server.started:
            if task.done():
                task.result()
            await asyncio.sleep(0.005)
        yield
    finally:
        server.should_exit = True
        await task
