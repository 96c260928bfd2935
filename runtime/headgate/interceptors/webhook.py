"""Interceptors of kind `webhook`: an external policy service is asked, by a signed request, before or after a call, or
about what is said."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable
from contextlib import aclosing
from typing import Annotated, Any, Literal

import httpx2
import msgspec
import structlog
from pydantic import Field

from headgate.core.context import RunContext, ToolContext
from headgate.core.errors import GatewayError, PolicyRefused
from headgate.core.kind import Env, Finding, Kind, Scope
from headgate.core.messages import Message, Text, ToolCall, ToolResult
from headgate.core.ports import ModelEvent, ModelNext, ModelRequest, Streams, ToolNext
from headgate.core.scalars import Duration, Secret, SomeSize
from headgate.interceptors.common import InterceptorSpec, Passing, Touched, touched_by, unheard
from headgate.interceptors.texts import warned
from headgate.interceptors.turns import asked, judged
from headgate.interceptors.webhook_wire import (
    Answer,
    BadAnswer,
    Event,
    Send,
    about_call,
    about_text,
    envelope,
    parse,
    sign,
)
from headgate.net.client import exchange, read

log = structlog.get_logger("headgate.webhook")


class WebhookSpec(InterceptorSpec):
    """Asks a policy service. Every request is signed; the service answers `{"decision": "allow" | "deny" | "warn"}`,
    and may add `message` and `code`."""

    kind: Literal["webhook"]
    url: Annotated[str, Field(pattern=r"^https?://[^/?#\s]")]
    """Where the service is; `[egress]` must allow it."""
    secret: Annotated[Secret, Field(min_length=16)]
    """The key of the signatures, of 16 characters or more."""
    on: Annotated[tuple[Event, ...], Field(min_length=1)] = ("call",)
    """What it is asked about: a `call` before it is made, its `result`, the `input` of a user before the model reads
    it, the `output` of a model before anybody reads it."""
    send: Send = "shapes"
    """`shapes` sends names and types alone; `values` sends arguments, results and texts as they are."""
    may_rewrite: bool = False
    """Whether an answer may carry `arguments` or a `result` to go on with instead."""
    timeout: Duration = 5.0
    """How long it may take to answer."""
    failure: Literal["open", "closed"] = "closed"
    """What becomes of a call or a turn that it does not judge: `closed` refuses, `open` goes on."""
    max_request: SomeSize = 256 << 10
    """The largest request; what is larger is not judged."""
    max_answer: SomeSize = 256 << 10
    """The largest answer that is read."""

    @property
    def touches(self) -> Touched:
        """What it is asked about."""
        return touched_by(self.on)


class Webhook(Passing):
    """A client of one policy service; `clock` counts epoch seconds."""

    def __init__(self, env: Env, spec: WebhookSpec, clock: Callable[[], float] = time.time) -> None:
        self._name, self._http, self._scrub = env.name, env.http, env.scrub
        self._spec = spec
        self._clock = clock
        self.touches = spec.touches
        self.streams: Streams = "whole" if "output" in spec.on else "pass"

    async def around_model(
        self, ctx: RunContext, request: ModelRequest, call_next: ModelNext, /
    ) -> AsyncGenerator[ModelEvent]:
        """The turn, if the service allows what was said, and what is going to be."""
        text = asked(request)
        if "input" in self._spec.on and text:
            await self._said(ctx, "input", Message("user", (Text(text),)))

        async def judge(message: Message) -> None:
            await self._said(ctx, "output", message)

        async with aclosing(judged(call_next(request), judge if "output" in self._spec.on else None)) as events:
            async for event in events:
                yield event

    async def around_tool(self, ctx: ToolContext, call: ToolCall, call_next: ToolNext, /) -> ToolResult:
        """The call, if the service allows it, with what it makes of arguments and result."""
        within = ctx.run_context
        if "call" in self._spec.on and not ctx.resumed:
            answer = await self._asked(within, "call", about_call(ctx, call, None, self._spec.send))
            ctx.memo.clear()
            ctx.memo["said"] = self._judged(within, answer, call.name)
            if answer is not None and not isinstance(answer.arguments, msgspec.UnsetType):
                ctx.memo["arguments"] = answer.arguments
        said: list[str] = list(ctx.memo.get("said", ()))
        if "arguments" in ctx.memo:
            call = msgspec.structs.replace(call, args=ctx.memo["arguments"])
        result = await call_next(call, unheard(ctx) if "result" in self._spec.on else ctx)
        if "result" in self._spec.on:
            answer = await self._asked(within, "result", about_call(ctx, call, result, self._spec.send))
            said += self._judged(within, answer, f"the result of {call.name}")
            if answer is not None and answer.result is not msgspec.UNSET:
                result = self._rewritten(within, result, answer.result)
        return result if within.watched or not said else warned(result, "; ".join(said))

    async def _said(self, ctx: RunContext, event: Event, message: Message) -> None:
        answer = await self._asked(ctx, event, {"message": about_text(message, self._spec.send)})
        self._judged(ctx, answer, f"the {event}")

    def _judged(self, within: RunContext, answer: Answer | None, what: str) -> list[str]:
        """The warnings of the answer; raises `PolicyRefused` when it denies."""
        if answer is None or answer.decision == "allow":
            return []
        code = answer.code or "webhook_denied"
        if answer.decision == "deny":
            raise PolicyRefused(answer.message or f"the policy service {self._name} denies {what}", code=code)
        message = answer.message or f"the policy service {self._name} warns of {what}"
        within.decide(self._name, "warn", code, message, mode=self._spec.loudness)
        return [f"{self._name}: {message}"]

    def _rewritten(self, within: RunContext, result: ToolResult, value: Any) -> ToolResult:
        if result.error is not None:
            self._fail(within, "result", "it rewrites the result of a call that failed")
            return result
        if isinstance(value, str):
            return msgspec.structs.replace(result, structured=None, content=(Text(value),))
        return msgspec.structs.replace(result, structured=value, content=())

    # -- one question ------------------------------------------------------------------------------------------------

    async def _asked(self, within: RunContext, event: Event, body: dict[str, Any]) -> Answer | None:
        """The answer of the service; None when it has none, and the call or turn goes on."""
        data = envelope(self._name, event, self._spec.mode, within, body)
        try:
            if len(data) > self._spec.max_request:
                raise BadAnswer(f"the request has more than {self._spec.max_request} bytes")
            async with asyncio.timeout(self._spec.timeout):
                answer = await self._posted(event, data)
            return parse(answer, event, may_rewrite=self._spec.may_rewrite)
        except TimeoutError:
            self._fail(within, event, f"it did not answer within {self._spec.timeout:g} s")
        except BadAnswer as error:
            self._fail(within, event, str(error))
        except GatewayError as error:
            self._fail(within, event, error.message)
        except httpx2.HTTPError as error:
            self._fail(within, event, f"it cannot be reached ({type(error).__name__})")
        return None

    async def _posted(self, event: Event, data: bytes) -> bytes:
        timestamp = str(int(self._clock()))
        headers = {
            "content-type": "application/json",
            "x-headgate-event": event,
            "x-headgate-timestamp": timestamp,
            "x-headgate-signature": f"sha256={sign(self._spec.secret, timestamp, data)}",
        }
        request = self._http.build_request("POST", self._spec.url, content=data, headers=headers)
        async with exchange(self._http, request) as response:
            if response.status_code != 200:
                raise BadAnswer(f"it answered with the status {response.status_code}")
            return await read(response, self._spec.max_answer)

    def _fail(self, within: RunContext, event: Event, reason: str) -> None:
        """Refuses, or says that nothing was judged; trying again would make a call twice that has a result."""
        said = self._scrub(f"the policy service {self._name} has not judged the {event}: {reason}")
        log.warning("webhook.failed", policy=self._name, run=within.run, reason=self._scrub(reason))
        if self._spec.failure == "closed":
            raise PolicyRefused(said, code="not_judged", retryable=event != "result")
        within.decide(self._name, "warn", "not_judged", said, mode=self._spec.loudness)


def check(spec: WebhookSpec, _scope: Scope) -> Iterable[Finding]:
    """The URL can be dialled."""
    try:
        url = httpx2.URL(spec.url)
    except httpx2.InvalidURL as error:
        yield Finding(("url",), "HG1004", f"'url' is not a URL: {error}")
        return
    if url.userinfo:
        yield Finding(("url",), "HG1004", "'url' has a password in it", "the signature says who asks")


@contextlib.asynccontextmanager
async def open_interceptor(spec: WebhookSpec, env: Env) -> AsyncIterator[Webhook]:
    """The interceptor; connections are those of the shared client."""
    yield Webhook(env, spec)


KIND: Kind[WebhookSpec, Webhook] = Kind(
    "webhook", "An external policy service decides.", WebhookSpec, open_interceptor, check
)
"""The registration of the kind."""
