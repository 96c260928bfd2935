"""An agent of a server, over the compatible chat API."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing
from typing import Any
from urllib.parse import quote, urlsplit

import httpx2
import msgspec

from headgate import __version__
from headgate.cli.client.frames import Frames
from headgate.cli.client.target import Target
from headgate.compile.checks.gateway import is_loopback
from headgate.core import errors
from headgate.core.errors import GatewayError, RequestError
from headgate.core.events import Event, RunEnd, RunStarted
from headgate.core.messages import Message
from headgate.engine.run import Ending
from headgate.providers.sse import Events

_TIMEOUT = httpx2.Timeout(15.0, read=60.0)
"""Seconds. A server that streams says something every 15 s, so a silent minute is a lost connection."""
_REFUSALS: dict[int, Callable[[str], RequestError]] = {
    each.status: each
    for each in (
        errors.RequestError, errors.Unauthenticated, errors.Forbidden, errors.NotFound, errors.Conflict,
        errors.Invalid, errors.Overloaded, errors.Unavailable,
    )
}  # fmt: skip


@contextlib.asynccontextmanager
async def open_remote(target: Target, key: str) -> AsyncIterator[RemoteClient]:
    """Opens a session with the agent; raises `GatewayError` when the server refuses or cannot be reached."""
    # No proxy stands between a machine and itself.
    proxied = not is_loopback(urlsplit(target.url or "").hostname or "")
    headers = {"user-agent": f"headgate/{__version__}"}
    async with httpx2.AsyncClient(
        base_url=target.url or "", timeout=_TIMEOUT, trust_env=proxied, headers=headers
    ) as http:
        client = RemoteClient(http, target, key)
        await client.reset()
        await client.describe()
        yield client


class RemoteClient:
    """A session on a server. The conversation is posted whole with every turn, as the API has it."""

    def __init__(self, http: httpx2.AsyncClient, target: Target, key: str) -> None:
        self._http = http
        self._target = target
        self._key = key
        self._token = ""
        self._clock: asyncio.Timeout | None = None
        self._ending: Ending | None = None
        self.agent = target.agent
        self.model = target.model or ""
        self.demo = False

    async def reset(self) -> None:
        """Exchanges the key for the token of a new session."""
        body, headers = {"api_key": self._key}, {"x-headgate-agent": self.agent}
        answer = await self._send("POST", "/api/chat/init", json=body, headers=headers)
        told = await _body(answer) if answer.status_code == 200 else None
        if not isinstance(told, dict) or not isinstance(told.get("session_token"), str):
            raise await _refusal(answer)
        self._token = told["session_token"]

    async def describe(self) -> None:
        """Learns the model, from servers that tell it; others chat as well."""
        headers = {"authorization": f"Bearer {self._key}"}
        answer = await self._send("GET", f"/v1/agents/{quote(self.agent, safe='')}", headers=headers)
        told = await _body(answer)
        if answer.status_code == 200 and isinstance(told, dict):
            self.model = self.model or str(told.get("model") or "")
            self.demo = told.get("demo") is True

    async def refresh(self) -> str:
        """Nothing: the server watches its own tree."""
        return ""

    def cancel(self, ending: Ending) -> None:
        """Stops listening; what becomes of the run is for the agent's `on_disconnect`, and the next turn ends it."""
        self._ending = ending
        if self._clock is not None:
            self._clock.reschedule(asyncio.get_running_loop().time())

    async def ask(self, messages: Sequence[Message]) -> AsyncGenerator[Event, None]:
        """The events of one run, as far as the wire tells them, and a terminal one of our own where none comes."""
        self._ending, frames = None, Frames()
        try:
            async with asyncio.timeout(None) as self._clock, aclosing(self._told(messages, frames)) as events:
                async for event in events:
                    yield event
                    if isinstance(event, RunEnd):
                        return
        except TimeoutError:
            yield self._ended(frames)
        except httpx2.HTTPError as error:
            yield frames.lost("connection_lost", _reason(error))
        except ValueError as error:
            yield frames.lost("protocol_error", f"the server sent {error}")
        else:
            yield frames.lost("connection_lost", "the stream ended before the answer did")
        finally:
            self._clock = None

    def _ended(self, frames: Frames) -> Event:
        ending = self._ending or Ending("interrupted")
        return frames.cancelled(ending.reason, ending.outcome)

    async def _told(self, messages: Sequence[Message], frames: Frames) -> AsyncGenerator[Event, None]:
        answer = await self._post(messages)
        if answer.status_code == 401:  # the session has expired; the conversation has not
            await answer.aclose()
            await self.reset()
            answer = await self._post(messages)
        async with aclosing(answer):
            if answer.status_code != 200:
                raise await _refusal(answer)
            run, revision = (answer.headers.get(f"x-headgate-{name}", "") for name in ("run", "revision"))
            yield RunStarted(run=run, agent=self.agent, revision=revision, model=self.model)
            parser = Events()
            async for chunk in answer.aiter_bytes():
                for data in parser.feed(chunk):
                    event = frames.read(_decoded(data))
                    if event is not None:
                        yield event

    async def _post(self, messages: Sequence[Message]) -> httpx2.Response:
        posted = [{"role": each.role, "content": each.text} for each in messages]
        body = {"messages": posted, "context": self._target.context, "model": self._target.model}
        headers = {"authorization": f"Bearer {self._token}"}
        return await self._send("POST", "/api/chat", json=body, headers=headers)

    async def _send(self, method: str, path: str, **members: Any) -> httpx2.Response:
        request = self._http.build_request(method, path, **members)
        try:
            return await self._http.send(request, stream=True)
        except httpx2.HTTPError as error:
            raise GatewayError(f"{self._target.url}: {_reason(error)}", code="connection_error") from None


def _decoded(data: bytes) -> Any:
    try:
        return msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise ValueError("a frame that is not JSON") from None


async def _body(answer: httpx2.Response) -> Any:
    """The JSON of an answer, read and closed; None when it is no JSON."""
    try:
        async with aclosing(answer):
            return msgspec.json.decode(await answer.aread())
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    except httpx2.HTTPError as error:
        raise GatewayError(_reason(error), code="connection_error") from None


async def _refusal(answer: httpx2.Response) -> GatewayError:
    """Why the server did not do what it was asked."""
    body = await _body(answer)
    if answer.status_code == 200 or not isinstance(body, dict) or "detail" not in body:
        message = f"HTTP {answer.status_code}, but not the answer of a gateway; look at the URL"
        return GatewayError(message, code="protocol_error")
    return _REFUSALS.get(answer.status_code, errors.RequestError)(_detail(body["detail"]))


def _detail(detail: Any) -> str:
    if isinstance(detail, list):
        return "; ".join(str(each.get("msg", each)) if isinstance(each, dict) else str(each) for each in detail)
    return str(detail)


def _reason(error: Exception) -> str:
    return str(error) or type(error).__name__
