"""What stands in for the world: a transport and a server that answer, a program that prints, a front end that posts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import httpx2
import msgspec

from headgate.core.context import ToolContext
from headgate.core.errors import ToolError
from headgate.core.messages import ToolResult
from headgate.core.ports import ClientTool
from headgate.mcp.asking import Asking
from headgate.mcp.listing import ListedTool, Listing
from headgate.mcp.spec import ServerSpec
from headgate.tools.client import ClientTest
from headgate.tools.command.invocation import Invocation
from headgate.tools.command.process import Receive
from headgate.tools.command.spec import CommandTest
from headgate.tools.mcp.spec import McpSpec, McpTest

_ENVELOPE = frozenset({"status", "headers", "body"})
TOKEN = "token-of-the-inline-test"
"""The access token that every token endpoint answers."""


@dataclass(slots=True, eq=False)
class Wire(httpx2.AsyncBaseTransport):
    """Answers requests from a list, the last of which stands for all further ones when it `repeats`.

    `sent` are the requests that were made; those for a token at `token_url` are answered by themselves and not among
    them. A request too many raises `ToolError`, is sent nowhere, and is counted in `unanswered`.
    """

    answers: Sequence[Any] = ()
    repeats: bool = False
    token_url: str = ""
    sent: list[httpx2.Request] = field(default_factory=list)
    unanswered: int = 0

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """The next answer."""
        await request.aread()
        if self.token_url and request.url == httpx2.URL(self.token_url):
            return httpx2.Response(200, json={"access_token": TOKEN, "token_type": "Bearer", "expires_in": 3600})
        self.sent.append(request)
        index = len(self.sent) - 1
        if self.repeats:
            index = min(index, len(self.answers) - 1)
        if not 0 <= index < len(self.answers):
            self.unanswered += 1
            raise ToolError("no_answer", f"the test has no answer for request {len(self.sent)}")
        return respond(self.answers[index])


def respond(answer: Any) -> httpx2.Response:
    """The response that a canned answer stands for.

    A table that has a numeric `status` and nothing but `status`, `headers` and `body` is a whole response; everything
    else is the body. A text is sent as it is, any other value as JSON.
    """
    status, headers, body = 200, {}, answer
    if isinstance(answer, dict) and answer.keys() <= _ENVELOPE and type(answer.get("status")) is int:
        status, body = answer["status"], answer.get("body", "")
        headers = {str(name).lower(): str(value) for name, value in (answer.get("headers") or {}).items()}
    content = body.encode() if isinstance(body, str) else msgspec.json.encode(body)
    kind = "text/plain; charset=utf-8" if isinstance(body, str) else "application/json"
    return httpx2.Response(status, headers={"content-type": kind, **headers}, content=content)


@dataclass(slots=True)
class Stage:
    """Programs that print what a test says; `run` are the invocations that were made."""

    test: CommandTest
    run: list[Invocation] = field(default_factory=list)

    def program(self, receive: Receive) -> _Program:
        """One run."""
        return _Program(self, receive)


@dataclass(frozen=True, slots=True)
class _Program:
    stage: Stage
    receive: Receive

    async def run(self, invocation: Invocation, /) -> int:
        """Prints, and answers the exit status."""
        test = self.stage.test
        self.stage.run.append(invocation)
        printed = test.stdout if isinstance(test.stdout, str) else msgspec.json.encode(test.stdout).decode()
        for fd, text in ((1, printed), (2, test.stderr)):
            if text:
                self.receive(fd, text.encode("utf-8", "replace"))
        return test.exit

    def stop(self) -> None:
        """There is nothing to end."""


class FrontEnd:
    """A client tool whose front end has posted already what the test says."""

    def __init__(self, tool: ClientTool, test: ClientTest) -> None:
        self._tool = tool
        self._test = test
        self.definition = tool.definition
        self.timeout = tool.timeout

    async def call(self, _args: dict[str, Any], _ctx: ToolContext, /) -> ToolResult:
        """What the tool makes of it."""
        if "response" not in self._test.model_fields_set:
            raise ToolError("no_answer", "the test says nothing of what the front end posts")
        return self._tool.receive(self._test.response)


Launch = Callable[[Receive], _Program]


class CannedServer:
    """Stands in for an MCP server with the tool of the manifest: takes any arguments, gives the answer of the test."""

    def __init__(self, spec: McpSpec, test: McpTest) -> None:
        self.name = spec.server
        self.spec = ServerSpec()
        self.listing = Listing({spec.tool: ListedTool(spec.tool, spec.tool, {"type": "object"})})
        self.listed = True
        self.withheld: frozenset[str] = frozenset()
        self.sent: list[dict[str, Any]] = []
        self._test = test

    async def call(self, _tool: str, args: dict[str, Any], _asking: Asking, /) -> Any:
        """Notes the arguments, and answers."""
        self.sent.append(args)
        if "response" not in self._test.model_fields_set:
            raise ToolError("no_answer", "the test says nothing of what the server answers")
        text = [SimpleNamespace(type="text", text=self._test.response)] if isinstance(self._test.response, str) else []
        structured = None if text else self._test.response
        return SimpleNamespace(content=text, structured_content=structured, is_error=False)
