"""Questions of MCP servers, for which the chat API has no frame: looked for beside the stream, while calls are made."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, TypeVar
from urllib.parse import quote

from headgate.cli.client.http import Http
from headgate.core.errors import GatewayError
from headgate.core.events import Event, InputRequested, InputResolved, ToolCompleted, ToolStarted

T = TypeVar("T")
PERIOD = 1.0
"""Seconds between two looks."""


class Inquiries:
    """Those of the run `run`; `note` has to hear all events of its stream."""

    def __init__(self, http: Http, key: str, run: str) -> None:
        self._http = http
        self._key = key
        self._run = run
        self._calls: set[str] = set()
        self._seen: dict[str, dict[str, Any]] = {}

    def note(self, event: Event) -> None:
        """Calls that are made may be asked about."""
        if isinstance(event, ToolStarted):
            self._calls.add(event.call_id)
        elif isinstance(event, ToolCompleted):
            self._calls.discard(event.call_id)

    async def events(self) -> AsyncGenerator[Event, None]:
        """Each question once, and once that it is settled; nothing from servers that do not tell."""
        while True:
            await asyncio.sleep(PERIOD)
            if not self._calls and not self._seen:
                continue
            try:
                found = await self._open()
            except (GatewayError, KeyError, TypeError):
                continue
            for identity, view in found.items():
                if identity not in self._seen:
                    yield _requested(view)
            for identity in self._seen.keys() - found.keys():
                with contextlib.suppress(GatewayError, KeyError, TypeError):
                    yield await self._resolved(identity)
            self._seen = found

    async def _open(self) -> dict[str, dict[str, Any]]:
        query = {"run": self._run, "state": "pending"}
        page = await self._http.json("GET", "/v1/waits", self._key, params=query)
        return {view["id"]: view for view in page["items"] if view["kind"] == "input"}

    async def _resolved(self, identity: str) -> InputResolved:
        view = await self._http.json("GET", f"/v1/waits/{quote(identity, safe='')}", self._key)
        vote = view["votes"][-1] if view["votes"] else {"decision": "", "by": ""}
        return InputResolved(
            id=identity, call_id=view["call_id"], name=view["tool"], state=view["state"], action=vote["decision"],
            by=vote["by"],
        )  # fmt: skip


def _requested(view: dict[str, Any]) -> InputRequested:
    asked = view["input"]
    return InputRequested(
        id=view["id"], kind="input", call_id=view["call_id"], name=view["tool"], args=view["args"],
        expires_at=view["expires_at"], server=asked["server"], message=asked["message"], schema=asked["schema"],
        url=asked["url"],
    )  # fmt: skip


async def beside(first: AsyncGenerator[T, None], second: AsyncGenerator[T, None]) -> AsyncGenerator[T, None]:
    """The items of both as they come, until the first has no more; raises what either raises."""
    async with aclosing(first), aclosing(second):
        tasks = {"first": asyncio.ensure_future(anext(first)), "second": asyncio.ensure_future(anext(second))}
        try:
            while True:
                await asyncio.wait(tasks.values(), return_when=asyncio.FIRST_COMPLETED)
                for name, source in (("second", second), ("first", first)):
                    if tasks[name].done():
                        try:
                            item = tasks[name].result()
                        except StopAsyncIteration:
                            return
                        yield item
                        tasks[name] = asyncio.ensure_future(anext(source))
        finally:
            for task in tasks.values():
                task.cancel()
            await asyncio.wait(tasks.values())
