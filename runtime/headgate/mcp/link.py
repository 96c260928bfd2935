"""One connection to an MCP server, on the SDK: opened, listed, called, and watched for its end and for changes.

Nothing else of Headgate imports the SDK's client. This module is imported when the first server is opened.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import httpx2
import mcp_types as types
import structlog
from mcp.client.client import Client
from mcp.client.subscriptions import SubscriptionLost
from mcp.shared.exceptions import MCPError
from mcp_types.version import MODERN_PROTOCOL_VERSIONS
from pydantic import ValidationError

from headgate import __version__
from headgate.core.errors import ToolError
from headgate.core.inputs import Round
from headgate.core.kind import Env
from headgate.mcp import remote, stdio
from headgate.mcp.asking import Asking
from headgate.mcp.faults import EndedEarly, ServerFault, fault_of, leaves, of_status
from headgate.mcp.listing import Listing, read_tools
from headgate.mcp.offers import entries, names
from headgate.mcp.paging import Noun, Raw, pages
from headgate.mcp.parting import parting
from headgate.mcp.programs import program
from headgate.mcp.replies import Called, Calls, responses, visiting
from headgate.mcp.spec import ServerSpec
from headgate.mcp.streams import Ready

log = structlog.get_logger("headgate.mcp")

ROUNDS = 8
"""Times that a server may ask for more input during one call."""
_AGAIN = 1.0
_SESSION_GONE = "Session terminated"


@dataclass(eq=False, slots=True)
class Link:
    """A live connection. `over` is set when it has ended, `stale` when what it lists may have changed, `followed` when
    changes are heard of, as far as the server tells any. `refused` are tools that the SDK would not take."""

    client: Client
    over: asyncio.Event
    stale: asyncio.Event
    refused: list[str]
    calls: Calls
    child: stdio.Child | None = None
    followed: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def pid(self) -> int | None:
        """The process, of a server that is a program."""
        return self.child.pid if self.child is not None else None

    async def reason(self) -> str:
        """Why it is over."""
        return await _reason(self.child) or "the connection to the server was lost"

    @property
    def protocol(self) -> str:
        """The protocol version that was agreed on."""
        return self.client.protocol_version

    @property
    def software(self) -> str | None:
        """What the server says that it is."""
        info = self.client.server_info
        return f"{info.name} {info.version}"[:200] if info is not None else None

    async def listing(self) -> Listing:
        """All that the server offers now, page by page; a server may want a credential only from here on."""
        raw, say = list[Raw](), self.refused.append
        with remote.judged():
            if self.client.server_capabilities.tools is not None:
                self.refused.clear()
                raw = await pages(lambda at: self.client.list_tools(cursor=at, cache_mode="bypass"), "tools", say)
            tools, problems = read_tools(raw)
            prompts, resources = await names(self.client, "prompts", say), await names(self.client, "resources", say)
        readable = self.client.server_capabilities.resources is not None
        return Listing(tools, prompts, resources, (*self.refused, *problems), readable=readable)

    async def listed(self, noun: Noun, asking: Asking) -> list[Raw]:
        """Prompts, resources or templates of resources as they are listed, in the form of the wire; none of a server
        that has no such thing. Raises as `call`."""
        found: list[Raw] = await self.ask(noun, asking, partial(entries, self.client, noun))
        return found

    async def call(self, name: str, args: dict[str, Any], asking: Asking) -> types.CallToolResult | Round:
        """Calls a tool; a round of questions when the server interrupts the call for them, which is made again with
        the replies then. What the server asks while the call is held is answered here. Raises `ServerFault` and
        `ToolError`."""
        session, follow = self.client.session, _follow(asking)
        send = partial(session.call_tool, name, args, progress_callback=follow, allow_input_required=True)
        answer: types.CallToolResult | Round = await self.ask(name, asking, send)
        return answer

    async def read(self, uri: str, asking: Asking) -> types.ReadResourceResult | Round:
        """Reads a resource; as `call`."""
        send = partial(self.client.session.read_resource, uri, allow_input_required=True)
        answer: types.ReadResourceResult | Round = await self.ask("resources/read", asking, send)
        return answer

    async def prompt(self, name: str, args: dict[str, str], asking: Asking) -> types.GetPromptResult | Round:
        """Fills in a prompt; as `call`."""
        send = partial(self.client.session.get_prompt, name, args, allow_input_required=True)
        answer: types.GetPromptResult | Round = await self.ask("prompts/get", asking, send)
        return answer

    async def ask(self, name: str, asking: Asking, send: Callable[..., Any]) -> Any:
        """The answer to one request, which `send` makes; `name` is the tool that questions are for."""
        sending = remote.Sending()
        token = remote.SENDING.set(sending)
        try:
            with self.calls.made(name, asking):
                modern = self.protocol in MODERN_PROTOCOL_VERSIONS
                return await (self._rounds if modern else self._once)(name, asking, send)
        except MCPError as error:
            raise await self._failure(error, sending) from error
        except ValidationError as error:
            raise ToolError("invalid_result", "the server's answer is not what the protocol says") from error
        except RuntimeError as error:  # the SDK's word for a result that does not fit the tool's own output schema
            raise ToolError("invalid_result", str(error)[:500]) from error
        finally:
            remote.SENDING.reset(token)

    async def _rounds(self, name: str, asking: Asking, send: Callable[..., Any]) -> Any:
        begun = asking.round
        while True:
            given = {"input_responses": responses(begun), "request_state": begun.state} if begun else {}
            result = await send(**given)
            if not isinstance(result, types.InputRequiredResult):
                return result
            count = begun.n + 1 if begun else 1
            if count > ROUNDS:
                raise ToolError("tool_error", f"the server asked for input more than {ROUNDS} times")
            begun = self.calls.round(result, Called(name, asking), count)
            if begun.questions:
                return begun

    async def _once(self, name: str, asking: Asking, send: Callable[..., Any]) -> Any:
        """The request as it was before 2026-07-28: what the server asks comes on the connection, but for addresses that
        it wants visited before it does anything at all (2025-11-25, `URLElicitationRequiredError`)."""
        before = asking.round
        if before is not None and visiting(before) and any(each.action != "accept" for each in before.replies.values()):
            raise ToolError("tool_error", "the server needs an address visited first, and nobody agreed to that")
        try:
            return await send()
        except MCPError as error:
            count = before.n + 1 if before is not None else 1
            wanted = self.calls.errand(error, Called(name, asking), count) if count <= ROUNDS else None
            if wanted is None:
                raise
            return wanted

    async def _failure(self, error: MCPError, sending: remote.Sending) -> ServerFault | ToolError:
        if sending.refusal is not None:
            return fault_of(sending.refusal)
        if sending.excessive:  # and would be again
            return ServerFault(remote.EXCESSIVE, retryable=False)
        if self._was_lost(error):
            self.over.set()
            too_much = self.child is not None and self.child.overflow  # and would be again
            return ServerFault(await self.reason(), retryable=not too_much, sent=sending.left)
        if not sending.left:
            return ServerFault("the connection to the server was lost", sent=sending.left)
        if error.message == _SESSION_GONE:
            self.over.set()
            return ServerFault("the server has forgotten the session", sent=False)
        if sending.status is not None and error.code == types.INTERNAL_ERROR:
            return of_status(sending.status)
        if error.code == types.REQUEST_TIMEOUT:
            return ServerFault("the server did not answer in time", code="timeout")
        return ToolError("tool_error", f"the server refused the call: {error.message[:1000]} ({error.code})")

    async def probe(self) -> None:
        """Asks for any answer at all; raises `TimeoutError` when there is none, though it may wait for ever, too."""
        session = self.client.session
        try:
            if self.protocol in MODERN_PROTOCOL_VERSIONS:
                await session.send_discover(self.protocol)
            else:
                await session.send_request(types.PingRequest(), types.EmptyResult)
        except MCPError as error:  # a refusal is an answer, too
            if error.code == types.REQUEST_TIMEOUT:
                raise TimeoutError from error

    def _was_lost(self, error: MCPError) -> bool:
        """Whether the SDK says so: its code for a closed connection is one that servers use for errors of their own."""
        own = error.message == "Connection closed" or error.message.startswith("SSE stream")
        return error.code == types.CONNECTION_CLOSED and (own or self.over.is_set())

    async def changes(self) -> None:
        """Follows the server's change stream, where there is one, until the connection ends."""
        try:
            while self._tells and not self.over.is_set():
                with contextlib.suppress(SubscriptionLost):
                    async with self.client.listen(tools_list_changed=True) as events:
                        if self.followed.is_set():  # nobody told what happened in between
                            self.stale.set()
                        self.followed.set()
                        async for _ in events:
                            self.stale.set()
                await asyncio.sleep(_AGAIN)
        except (MCPError, TimeoutError) as error:
            log.info("mcp.no_changes", reason=type(error).__name__)
        finally:
            self.followed.set()

    @property
    def _tells(self) -> bool:
        """Whether there is a stream of changes to follow; before 2026-07-28 they come by themselves."""
        tools = self.client.server_capabilities.tools
        modern = self.protocol in MODERN_PROTOCOL_VERSIONS
        return modern and tools is not None and bool(tools.list_changed)


def _follow(asking: Asking) -> Any:
    async def progress(done: float, total: float | None, message: str | None) -> None:
        asking.progress(done, total, message)

    return progress


@contextlib.asynccontextmanager
async def linked(
    spec: ServerSpec, env: Env, *, mode: str, heard: Callable[[str], None], auth: httpx2.Auth | None = None
) -> AsyncIterator[Link]:
    """A connection with the protocol agreed on; leaving closes it. Raises what the transport and the SDK raise."""
    async with contextlib.AsyncExitStack() as stack:
        over, stale = asyncio.Event(), asyncio.Event()
        child: stdio.Child | None = None
        status: Callable[[], int | None] = lambda: None  # noqa: E731
        if spec.kind == "stdio":
            streams, child = await stack.enter_async_context(stdio.spoken_to(program(spec, env, heard)))
        else:
            streams, watched = await stack.enter_async_context(remote.reached(spec, env, over.set, auth))
            status = lambda: watched.status  # noqa: E731

        async def noticed(message: Any) -> None:
            if isinstance(message, types.ToolListChangedNotification):
                stale.set()

        refused: list[str] = []
        calls = Calls(env.name, spec.elicitation_timeout)
        client = Client(
            Ready(streams, over, refused), mode=mode, message_handler=noticed, cache=None,
            # Declared to the server only if its questions are asked.
            elicitation_callback=calls.pushed if spec.elicitation == "ask" else None,
            client_info=types.Implementation(name="headgate", version=__version__),
        )  # fmt: skip
        try:
            await stack.enter_async_context(client)
        except (MCPError, ExceptionGroup) as error:
            said = next((each for each in leaves(error) if isinstance(each, MCPError)), None)
            if said is None:
                raise
            raise _refused(said, status(), await _reason(child)) from error
        yield Link(client, over, stale, refused, calls, child)


async def _reason(child: stdio.Child | None) -> str | None:
    return await parting(child) if child is not None else None


def _refused(error: MCPError, status: int | None, reason: str | None) -> ServerFault:
    if error.code == types.CONNECTION_CLOSED:
        return EndedEarly(reason or "the server ended the connection while it was being set up")
    if status is not None:
        return of_status(status)
    code = "timeout" if error.code == types.REQUEST_TIMEOUT else "connection_error"
    return ServerFault(f"the server refused the connection: {error.message[:500]}", code=code)
