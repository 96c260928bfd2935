"""What a policy service is sent, signed, and what it may answer."""

from __future__ import annotations

import hmac
import re
from dataclasses import asdict
from typing import Any, Literal

import msgspec

from headgate.core.context import RunContext, ToolContext
from headgate.core.messages import Message, ToolCall, ToolResult
from headgate.interceptors.texts import shape

Event = Literal["call", "result", "input", "output"]
Send = Literal["shapes", "values"]
_CODE = re.compile(r"[a-z][a-z0-9_]{0,63}")
_MESSAGE = 1000
_encode = msgspec.json.Encoder(order="deterministic").encode


class BadAnswer(Exception):
    """What the service answered cannot be used; the message says why."""


class Answer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a policy service says; `arguments` and `result` stand in for those that it was asked about."""

    decision: Literal["allow", "deny", "warn"]
    message: str = ""
    code: str = ""
    arguments: dict[str, Any] | msgspec.UnsetType = msgspec.UNSET
    result: Any = msgspec.UNSET

    @property
    def rewrites(self) -> bool:
        """Whether it changes anything."""
        return self.arguments is not msgspec.UNSET or self.result is not msgspec.UNSET


def sign(secret: str, timestamp: str, body: bytes) -> str:
    """HMAC-SHA256 (RFC 2104) over the timestamp, a dot, and the body, in hexadecimal."""
    return hmac.new(secret.encode(), timestamp.encode() + b"." + body, "sha256").hexdigest()


def parse(body: bytes, event: Event, *, may_rewrite: bool) -> Answer:
    """The answer to a question about `event`; raises `BadAnswer`."""
    try:
        answer = msgspec.json.decode(body, type=Answer)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadAnswer(f"its answer cannot be read: {error}") from None
    if answer.code and not _CODE.fullmatch(answer.code):
        raise BadAnswer("its code is not one of lower-case letters, digits and '_'")
    if answer.rewrites and not may_rewrite:
        raise BadAnswer("it rewrites, and may_rewrite is not set")
    if answer.arguments is not msgspec.UNSET and event != "call":
        raise BadAnswer(f"it rewrites arguments, and was asked about the {event}")
    if answer.result is not msgspec.UNSET and event != "result":
        raise BadAnswer(f"it rewrites a result, and was asked about the {event}")
    return msgspec.structs.replace(answer, message=answer.message[:_MESSAGE])


def about_call(ctx: ToolContext, call: ToolCall, result: ToolResult | None, send: Send) -> dict[str, Any]:
    """A call, with its result once there is one."""
    tool = ctx.tool
    hints = asdict(tool.annotations) if tool is not None else {}
    described = {"name": call.name, "kind": tool.kind if tool else "", "server": tool.server if tool else None, **hints}
    body = {"call_id": call.id, "tool": described, "arguments": _shown(call.args or {}, send)}
    if result is not None:
        error = result.error.code if result.error is not None else None
        body["result"] = {"status": result.status, "error": error, "value": _shown(result.payload, send)}
    return body


def about_text(message: Message, send: Send) -> dict[str, Any]:
    """What a user or a model says, and calls."""
    calls = [{"name": each.name, "arguments": _shown(each.args, send)} for each in message.calls]
    text = {"text": message.text} if send == "values" else {}
    return {"characters": len(message.text), **text, **({"calls": calls} if calls else {})}


def envelope(name: str, event: Event, mode: str, within: RunContext, body: dict[str, Any]) -> bytes:
    """The request's body: who asks, about what, and within what."""
    session = asdict(within.session)
    run = {"id": within.run, "step": within.step, "turn": within.turn, "depth": within.depth, "tainted": within.tainted}
    return _encode(
        {"event": event, "policy": name, "mode": mode, "agent": within.agent, "session": session, "run": run, **body}
    )


def _shown(value: Any, send: Send) -> Any:
    return value if send == "values" else shape(value)
