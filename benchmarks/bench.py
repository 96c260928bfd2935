"""The arrangement under measurement: three ways to the same mock provider, and chats through each of them."""

from __future__ import annotations

import statistics
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import processes
from benchmarks.client import Connection, Lags, Reply, connect, post
from benchmarks.plans import Plan
from benchmarks.processes import Child, running

KEY = "key-of-the-benchmarks"

_GATEWAY = """
version = 1
name = "bench"
default_agent = "bench"
[server.limits]
sessions = 1000000
runs = 10000
streams_per_key = 10000
[auth.keys.load]
key = "{key}"
scopes = ["chat"]
[providers.mock]
kind = "anthropic"
api_key = "none-needed"
base_url = "http://127.0.0.1:{port}"
[models.default]
provider = "mock"
model = "claude-bench"
[functions]
packages = ["benchmarks"]
"""
_AGENT = """---
description: What the benchmarks talk to.
tools: [echo, wait]
max_turns: 5
---
You are measured. Answer briefly.
"""
_TOOL = "kind: function\ndescription: {what}\ncall: benchmarks.tools:{name}\nannotations: {{read_only: true}}\n"


def write_tree(root: Path, provider: int) -> Path:
    """A small tree with one agent and two function tools; the store is the default one, SQLite on disk."""
    files = {
        "gateway.toml": _GATEWAY.format(key=KEY, port=provider),
        "agents/bench.md": _AGENT,
        "tools/echo.yaml": _TOOL.format(name="echo", what="Gives a text back."),
        "tools/wait.yaml": _TOOL.format(name="wait", what="Waits for some seconds."),
    }
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return root


@dataclass(slots=True)
class Chat:
    """One conversation over one connection: `say` posts a plan and reads the answer."""

    connection: Connection
    port: int
    path: str
    headers: dict[str, str]

    async def say(self, plan: Plan, lags: Lags | None = None) -> Reply:
        """Raises unless the answer is whole and has as many deltas as were planned."""
        body: dict[str, Any] = {"model": None, "messages": [{"role": "user", "content": str(plan)}]}
        if self.path == "/v1/messages":
            body = {**body, "model": "claude-bench", "max_tokens": 999, "stream": True}
        if self.connection.lost:  # servers hang up on connections that were idle for some seconds
            self.connection = await connect(self.port)
        reply = await self.connection.fetch(post(self.port, self.path, body, self.headers), lags)
        if reply.status != 200 or (self.path != "/v1/messages" and b"stream_complete" not in reply.raw[-400:]):
            raise RuntimeError(f"a chat failed: {reply.raw[-500:]!r}")
        wanted = 0 if plan.calls and self.path == "/v1/messages" else plan.deltas
        if reply.deltas != wanted:
            raise RuntimeError(f"{reply.deltas} deltas came instead of {wanted}")
        return reply

    def close(self) -> None:
        """Hangs up."""
        self.connection.close()


@dataclass(frozen=True, slots=True)
class Target:
    """One way to the provider."""

    name: str
    child: Child

    async def open(self) -> Chat:
        """A new conversation."""
        connection, port = await connect(self.child.port), self.child.port
        if self.name == "direct":
            return Chat(connection, port, "/v1/messages", {"x-api-key": "none"})
        if self.name == "floor":
            return Chat(connection, port, "/api/chat", {})
        opened = (await connection.fetch(post(port, "/api/chat/init", {"api_key": KEY}))).json()
        return Chat(connection, port, "/api/chat", {"authorization": f"Bearer {opened['session_token']}"})


@dataclass(frozen=True, slots=True)
class Bench:
    """Everything that runs while rows are measured; `scale` is 1, or less for a quick look."""

    targets: Sequence[Target]
    folder: Path
    scale: float

    def count(self, full: int) -> int:
        """So many of something, at this scale."""
        return max(1, round(full * self.scale))

    @property
    def servers(self) -> Sequence[Target]:
        """The floor and the gateway."""
        return self.targets[1:]

    @property
    def provider(self) -> int:
        """The port of the mock."""
        return self.targets[0].child.port


@asynccontextmanager
async def open_bench(folder: Path, scale: float) -> AsyncIterator[Bench]:
    """Starts the mock, the floor and a gateway; ends them."""
    async with AsyncExitStack() as stack:
        mock = await stack.enter_async_context(running(*processes.upstream(folder)))
        tree = write_tree(folder / "tree", mock.port)
        floor = await stack.enter_async_context(running(*processes.floor(folder, mock.port)))
        gateway = await stack.enter_async_context(running(*processes.headgate(tree)))
        targets = [Target("direct", mock), Target("floor", floor), Target("headgate", gateway)]
        yield Bench(targets, folder, scale)


def median(values: Sequence[float]) -> float:
    """Of at least one value."""
    return statistics.median(values)
