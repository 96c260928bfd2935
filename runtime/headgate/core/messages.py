"""Provider-neutral messages, tool results and token usage.

A `Message` is what the transcript holds and what every provider translates to and from its own wire. All of it is
immutable and encodes to JSON with msgspec; `bytes` travel as base64.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

Role = Literal["user", "assistant"]
ResultStatus = Literal["ok", "error", "denied", "expired", "cancelled", "unknown"]
StopReason = Literal["end", "tools", "length", "refusal", "pause", "context"]


class Opaque(msgspec.Struct, frozen=True, array_like=True):
    """State that only the provider and model which made it can read (a thinking signature, an encrypted trace)."""

    provider: str
    model: str
    data: bytes


class Text(msgspec.Struct, frozen=True, tag="text", tag_field="type"):
    """Plain text."""

    text: str


class Image(msgspec.Struct, frozen=True, tag="image", tag_field="type"):
    """An image, by value."""

    media_type: str
    data: bytes


class File(msgspec.Struct, frozen=True, tag="file", tag_field="type"):
    """A document, by value."""

    name: str
    media_type: str
    data: bytes


class Thinking(msgspec.Struct, frozen=True, tag="thinking", tag_field="type", omit_defaults=True):
    """What a model thought; `opaque` goes back only to the provider and model that sent it."""

    text: str
    opaque: Opaque | None = None


class ToolCall(msgspec.Struct, frozen=True, tag="tool_call", tag_field="type", omit_defaults=True):
    """A model's request to call a tool.

    `id` is unique within the run. `args` is None when the model's JSON could not be read: `malformed` then holds what
    it wrote, and the call is answered with an error instead of being run.
    """

    id: str
    name: str
    args: dict[str, Any] | None
    malformed: str = ""
    opaque: Opaque | None = None


class ErrorInfo(msgspec.Struct, frozen=True, omit_defaults=True):
    """Why a call failed: a code of `CODES` or the tool's own sub-code, one sentence, and whether a retry can help."""

    code: str
    message: str
    retryable: bool = False
    details: dict[str, Any] = {}


Content = Text | Image | File


class ToolResult(msgspec.Struct, frozen=True, omit_defaults=True):
    """The outcome of one tool call: the model sees `structured` as JSON, else the text of `content`."""

    status: ResultStatus = "ok"
    content: tuple[Content, ...] = ()
    structured: Any = None
    error: ErrorInfo | None = None
    meta: dict[str, Any] = {}

    @property
    def payload(self) -> Any:
        """The JSON value that the model and the clients see: structured data, else the text, else None."""
        if self.error is not None:
            return {"error": {"code": self.error.code, "message": self.error.message}}
        if self.structured is not None:
            return self.structured
        text = "".join(part.text for part in self.content if isinstance(part, Text))
        return text if self.content else None


class ToolOutcome(msgspec.Struct, frozen=True, tag="tool_result", tag_field="type"):
    """The part of a user message that answers the call `call_id`."""

    call_id: str
    name: str
    result: ToolResult


Part = Text | Image | File | Thinking | ToolCall | ToolOutcome


class Message(msgspec.Struct, frozen=True):
    """One message of a conversation; the system prompt is apart, in `ModelRequest.system`."""

    role: Role
    parts: tuple[Part, ...]

    @property
    def text(self) -> str:
        """The visible text: all `Text` parts, joined as they were streamed."""
        return "".join(part.text for part in self.parts if isinstance(part, Text))

    @property
    def calls(self) -> tuple[ToolCall, ...]:
        """The tool calls of this message, in the model's order."""
        return tuple(part for part in self.parts if isinstance(part, ToolCall))


class Usage(msgspec.Struct, frozen=True, omit_defaults=True):
    """Tokens by class, as they are billed.

    The four input classes do not overlap: the whole prompt is `input + cache_write + cache_write_1h + cache_read`.
    `reasoning` is the part of `output` spent on thinking.
    """

    input: int = 0
    output: int = 0
    cache_write: int = 0
    cache_write_1h: int = 0
    cache_read: int = 0
    reasoning: int = 0

    @property
    def total(self) -> int:
        """All tokens, whatever their class; `reasoning` is part of `output` already."""
        return self.input + self.output + self.cache_write + self.cache_write_1h + self.cache_read

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.input + other.input,
            self.output + other.output,
            self.cache_write + other.cache_write,
            self.cache_write_1h + other.cache_write_1h,
            self.cache_read + other.cache_read,
            self.reasoning + other.reasoning,
        )


CODES: dict[str, str] = {
    "unknown_tool": "The agent has no tool of that name.",
    "invalid_json": "The model's arguments are not a JSON object, or were cut off.",
    "invalid_arguments": "The arguments do not match the tool's input schema.",
    "tool_error": "The tool failed; the message says how.",
    "tool_timeout": "The tool did not answer in time.",
    "cancelled": "The run was cancelled while the call was running.",
    "connection_error": "The tool could not reach its server.",
    "http_status": "The tool's server answered with an error status.",
    "exit_status": "The program ended with an error status.",
    "egress_refused": "The address is not allowed by [egress].",
    "result_too_large": "The answer is larger than the tool's max_bytes.",
    "invalid_result": "The answer could not be read or shaped.",
    "withdrawn": "The live revision no longer allows the tool.",
    "redaction_failed": "A text could not be searched for what must be redacted, so the call is refused.",
    "transform_failed": "The arguments or the result could not be shaped as a policy wants them.",
    "rate_limited": "A rate limit refuses the call; the message says when to try again.",
    "policy_denied": "An approval policy denies the call.",
    "budget_exceeded": "A budget is spent; the message says which, and for what time.",
    "tainted": "The run has read what nobody vouches for, and the tool is not for such runs.",
    "secret_found": "The arguments or the result hold what looks like a credential.",
    "guard_denied": "A guard judged the arguments or the result and denies them.",
    "webhook_denied": "An external policy service denies the call.",
    "not_judged": "What has to be judged before the call, or its result, could not be judged.",
    "user_denied": "A person denied the call.",
    "approval_timeout": "Nobody approved the call in time.",
    "outcome_unknown": "The call was interrupted, and whether it took effect is not known.",
    "turn_cut_off": "The model's turn was cut off, so the calls in it were not run.",
    "auth_error": "The tool could not obtain its credential.",
    "auth_required": "The caller has not let the gateway use their account of the tool's server; the message says how.",
    "unknown_handle": "The run keeps no result under the handle that read_result was given.",
    "internal_error": "The gateway failed; its log has the details.",
}
"""The closed list of codes that Headgate itself gives a failed tool call; a tool may add its own sub-code."""


def failed(code: str, message: str, *, status: ResultStatus = "error", retryable: bool = False) -> ToolResult:
    """A result that tells the model why the call failed."""
    return ToolResult(status=status, error=ErrorInfo(code, message, retryable))


encode = msgspec.json.Encoder().encode
_PARTS = msgspec.json.Decoder(tuple[Part, ...])


def decode_parts(raw: bytes | str) -> tuple[Part, ...]:
    """Parts as the ledger keeps them."""
    return _PARTS.decode(raw)
