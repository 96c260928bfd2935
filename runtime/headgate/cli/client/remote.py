"""An agent of a server, over the compatible chat API."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from typing import Any
from urllib.parse import quote

import httpx2
import msgspec

from headgate.cli.client.frames import Frames
from headgate.cli.client.http import Http, body, open_http, reason, refusal
from headgate.cli.client.inquiries import Inquiries, beside
from headgate.cli.client.port import NOT_SUPPORTED, Question, Reply, Terms
from headgate.cli.client.target import Target
from headgate.core.errors import GatewayError, Invalid
from headgate.core.events import ApprovalRequested, Event, InputRequested, RunEnd, RunStarted, ToolCompleted
from headgate.core.messages import Message
from headgate.engine.run import Ending
from headgate.providers.sse import Events

_LAST = 5.0
"""Seconds that a server gets to end a run that nobody listens to any more."""


@contextlib.asynccontextmanager
async def open_remote(target: Target, key: str) -> AsyncIterator[RemoteClient]:
    """Opens a session with the agent; raises `GatewayError` when the server refuses or cannot be reached."""
    async with open_http(target.url or "") as http:
        client = RemoteClient(http, target, key)
        await client.reset()
        await client.describe()
        yield client


class RemoteClient:
    """A session on a server. The conversation is posted whole with every turn, as the API has it."""

    def __init__(self, http: Http, target: Target, key: str) -> None:
        self._http = http
        self._target = target
        self._key = key
        self._token = ""
        self._clock: asyncio.Timeout | None = None
        self._ending: Ending | None = None
        self._frames = Frames()
        self._run = ""
        self._open: set[str] = set()
        self._views: dict[str, dict[str, Any]] = {}
        self.agent = target.agent
        self.model = target.model or ""
        self.demo = False

    async def reset(self) -> None:
        """Exchanges the key for the token of a new session."""
        posted, headers = {"api_key": self._key}, {"x-headgate-agent": self.agent}
        answer = await self._http.send("POST", "/api/chat/init", json=posted, headers=headers)
        told = await body(answer) if answer.status_code == 200 else None
        if not isinstance(told, dict) or not isinstance(told.get("session_token"), str):
            raise await refusal(answer)
        self._token = told["session_token"]

    async def describe(self) -> None:
        """Learns the model, from servers that tell it; others chat as well."""
        answer = await self._http.send("GET", f"/v1/agents/{quote(self.agent, safe='')}", self._key)
        told = await body(answer)
        if answer.status_code == 200 and isinstance(told, dict):
            self.model = self.model or str(told.get("model") or "")
            self.demo = told.get("demo") is True

    async def refresh(self) -> str:
        """Nothing: the server watches its own tree."""
        return ""

    def cancel(self, ending: Ending) -> None:
        """Stops listening; the agent's `on_disconnect` says what becomes of a run that is going on, and one that waits
        for an answer is ended."""
        self._ending = ending
        if self._clock is not None:
            self._clock.reschedule(asyncio.get_running_loop().time())

    async def ask(self, messages: Sequence[Message]) -> AsyncGenerator[Event, None]:
        """The events of one run, as far as the wire tells them, and a terminal one of our own where none comes."""
        self._ending, self._run = None, ""
        self._open.clear()
        self._views.clear()
        frames = self._frames = Frames()
        try:
            async with asyncio.timeout(None) as self._clock, aclosing(self._told(messages, frames)) as events:
                async for event in events:
                    yield event
                    if isinstance(event, RunEnd):
                        return
        except TimeoutError:
            await self._end_run()
            yield self._ended(frames)
        except httpx2.HTTPError as error:
            yield frames.lost("connection_lost", reason(error))
        except ValueError as error:
            yield frames.lost("protocol_error", f"the server sent {error}")
        else:
            yield frames.lost("connection_lost", "the stream ended before the answer did")
        finally:
            self._clock = None

    def _ended(self, frames: Frames) -> Event:
        ending = self._ending or Ending("interrupted")
        return frames.cancelled(ending.reason, ending.outcome)

    async def _end_run(self) -> None:
        """Ends a run that waits for an answer: nobody gives it here any more, and it would wait for long."""
        if not self._open or not self._run:
            return
        with contextlib.suppress(GatewayError, TimeoutError):
            async with asyncio.timeout(_LAST):
                await self._http.json("POST", f"/v1/runs/{quote(self._run, safe='')}/cancel", self._key)

    async def _told(self, messages: Sequence[Message], frames: Frames) -> AsyncGenerator[Event, None]:
        answer = await self._post(messages)
        if answer.status_code == 401:  # the session has expired; the conversation has not
            await answer.aclose()
            await self.reset()
            answer = await self._post(messages)
        async with aclosing(answer):
            if answer.status_code != 200:
                raise await refusal(answer)
            self._run, revision = (answer.headers.get(f"x-headgate-{name}", "") for name in ("run", "revision"))
            yield RunStarted(run=self._run, agent=self.agent, revision=revision, model=self.model)
            asked = Inquiries(self._http, self._key, self._run)
            async with aclosing(beside(self._read(answer, frames), asked.events())) as events:
                async for event in events:
                    asked.note(event)
                    self._note(event)
                    yield event

    async def _read(self, answer: httpx2.Response, frames: Frames) -> AsyncGenerator[Event, None]:
        parser = Events()
        async for chunk in answer.aiter_bytes():
            for data in parser.feed(chunk):
                event = frames.read(_decoded(data))
                if event is not None:
                    yield await self._detailed(event) if isinstance(event, ApprovalRequested) else event

    def _note(self, event: Event) -> None:
        if isinstance(event, Question):
            self._open.add(event.call_id)
        elif isinstance(event, ToolCompleted):
            self._open.discard(event.call_id)

    async def _post(self, messages: Sequence[Message]) -> httpx2.Response:
        posted = [{"role": each.role, "content": each.text} for each in messages]
        told = {"messages": posted, "context": self._target.context, "model": self._target.model}
        return await self._http.send("POST", "/api/chat", self._token, json=told)

    # -- questions ----------------------------------------------------------------------------------------------------

    async def _detailed(self, event: ApprovalRequested) -> ApprovalRequested:
        """The question with what the frame does not tell: labels, policy, approvers; from servers that tell them."""
        query = {"run": self._run, "state": "pending"}
        with contextlib.suppress(GatewayError, TimeoutError, KeyError, TypeError):
            async with asyncio.timeout(_LAST):
                page = await self._http.json("GET", "/v1/approvals", self._key, params=query)
            for view in page["items"]:
                if view["call_id"] == event.call_id:
                    self._views[event.call_id] = view
                    return _full(event, view)
        return event

    async def terms(self, question: Question) -> Terms:
        """As the server tells; where it does not, everything may be tried but a reason, for which the wire has no
        place."""
        view = self._views.get(question.call_id)
        if view is None:
            return Terms(remember=isinstance(question, ApprovalRequested), reason=False)
        return Terms(remember=bool(view.get("may_remember")))

    async def reply(self, question: Question, reply: Reply) -> None:
        """Answers an approval, or the question of an MCP server; the wire has no others that are for people. What has a
        reason goes to the native API, which takes it, and so do those questions."""
        if isinstance(question, InputRequested) and question.kind == "input":
            given = {"content": reply.content} if reply.content is not None else {}
            path = f"/v1/waits/{quote(question.id, safe='')}/answer"
            await self._http.json("POST", path, self._key, json={"action": reply.decision, **given})
            self._open.discard(question.call_id)
            return
        if reply.decision not in ("approve", "deny"):
            raise Invalid(f"the chat API cannot be told {reply.decision!r}")
        if reply.reason and question.call_id in self._views:
            said = {"decision": reply.decision, "reason": reply.reason, "remember": reply.remember}
            await self._http.json("POST", f"/v1/approvals/{quote(question.id, safe='')}", self._key, json=said)
            self._open.discard(question.call_id)
            return
        proof = {"approved": reply.decision == "approve", "allow_tool_type": reply.remember}
        await self._answer("/api/chat/tool-approval", question, proof)

    async def decline(self, question: InputRequested) -> None:
        """Posts the error in place of a result."""
        error = {"code": NOT_SUPPORTED.code, "message": NOT_SUPPORTED.message}
        await self._answer("/api/chat/tool-result", question, {"error": error})

    async def _answer(self, path: str, question: Question, said: dict[str, Any]) -> None:
        proof = {"tool_call_id": question.call_id, "nonce": self._frames.nonces.get(question.call_id, "")}
        await self._http.json("POST", path, self._token, json=proof | said)
        self._open.discard(question.call_id)


def _decoded(data: bytes) -> Any:
    try:
        return msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise ValueError("a frame that is not JSON") from None


def _full(event: ApprovalRequested, view: dict[str, Any]) -> ApprovalRequested:
    return msgspec.structs.replace(
        event, id=view["id"], policy=view["policy"] or "", shown=tuple(view["shown"]),
        approvers=tuple(view["approvers"]), quorum=view["quorum"],
    )  # fmt: skip
