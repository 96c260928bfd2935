"""Request bodies of the native routes: unknown members are errors, and what is not built is refused by name."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal, NoReturn, Self

from pydantic import BaseModel, ConfigDict, Field, PlainValidator, WithJsonSchema, model_validator
from pydantic_core import PydanticCustomError

_LONGEST = 102_400
"""Characters of a message."""


def _missing(what: str) -> Any:
    """The type of a member that clients know from elsewhere and that this version does not have."""

    def refuse(_value: Any) -> NoReturn:
        raise PydanticCustomError("not_supported", "{what} is not in this version", {"what": what})

    return Annotated[Any, PlainValidator(refuse), WithJsonSchema({"description": f"{what}: not in this version"})]


class Body(BaseModel):
    """What all bodies share."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, regex_engine="python-re")


class Patch(Body):
    """A body of changes: what is not given stays, and null takes a member away, unless it is `never_null`."""

    never_null: ClassVar[frozenset[str]] = frozenset()

    @model_validator(mode="after")
    def _stated(self) -> Self:
        for name in type(self).model_fields:
            if name in self.never_null and name in self.model_fields_set and getattr(self, name) is None:
                raise PydanticCustomError("null", "{name} cannot be null", {"name": name})
        return self


Words = Annotated[str, Field(min_length=1, max_length=_LONGEST, pattern=r"\S")]
Timeout = Annotated[int, Field(ge=1_000, le=300_000)]
Input = dict[str, Any]
Identity = Annotated[str, Field(min_length=1, max_length=128)]
Reason = Annotated[str, Field(max_length=2_000)]


class ChatOptions(Body):
    """How a conversation is to be answered; `timeout_ms` ends the run."""

    stream: bool = False
    timeout_ms: Timeout | None = None


class InvokeOptions(ChatOptions):
    """How an invocation is to be answered."""

    asynchronous: bool = Field(False, alias="async")
    output_schema: _missing("an answer in a shape (output_schema)") = None  # type: ignore[valid-type]


class Invoke(Body):
    """Body of `POST /v1/agents/{id}/invoke`."""

    message: Words
    input: Input = {}
    options: InvokeOptions | None = None


class Talk(Body):
    """Body of `POST /v1/agents/{id}/chat`."""

    message: Words
    session_id: Identity | None = None
    input: Input = {}
    options: ChatOptions | None = None


class PostedMessage(Body):
    """One message of a conversation."""

    role: Literal["user", "assistant"]
    content: Words


class NewRunBody(Body):
    """Body of `POST /v1/runs`: `message`, or `messages` that end with the one to be answered."""

    agent: Identity | None = None
    message: Words | None = None
    messages: Annotated[list[PostedMessage], Field(min_length=1, max_length=10_000)] | None = None
    session_id: Identity | None = None
    input: Input = {}
    model: Identity | None = None
    channel: Identity | None = None
    profile: Identity | None = None
    timeout_ms: Timeout | None = None

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        if (self.message is None) == (self.messages is None):
            raise PydanticCustomError("one_form", "exactly one of message and messages is needed")
        if self.messages and self.messages[-1].role != "user":
            raise PydanticCustomError("no_question", "messages must end with one of the role user")
        return self

    @property
    def posted(self) -> list[PostedMessage]:
        """The messages, whichever way they were given."""
        return self.messages or [PostedMessage(role="user", content=self.message or "")]


class Open(Body):
    """Body of `POST /v1/sessions`."""

    agent: Identity | None = None


class Fork(Body):
    """Body of `POST /v1/sessions/{id}/fork`: `run_id` is the last run that the fork knows."""

    run_id: Identity | None = None


class Decide(Body):
    """Body of `POST /v1/approvals/{id}`; `remember` lets the session's further calls of the tool pass, `edited_args`
    are approved instead of those that were asked about."""

    decision: Literal["approve", "deny"]
    reason: Reason = ""
    remember: bool = False
    edited_args: Input | None = None


class Linking(Body):
    """Body of `POST /v1/approvals/{id}/links`: `for` is the key whose answer it will be, `expires_in` in seconds."""

    approver: Annotated[Identity | None, Field(alias="for")] = None
    expires_in: Annotated[int, Field(ge=1)] | None = None


class Failure(Body):
    """Why a front end has no result; `retryable`, if it may have one when it is asked again."""

    code: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_.]{0,63}$")] = "tool_error"
    message: Annotated[str, Field(min_length=1, max_length=10_000)]
    retryable: bool = False


class Reply(Body):
    """Body of `POST /v1/waits/{id}/answer`: a front end's `result` or `error`; what became of a call that was cut off
    (`decision`, with its `result` when it was done); or what an MCP server is told (`action`, with the `content` of its
    form when that is accepted)."""

    decision: Literal["retry", "done", "failed"] | None = None
    reason: Reason = ""
    result: Any = None
    error: Failure | None = None
    action: Literal["accept", "decline", "cancel"] | None = None
    content: Input | None = None

    @property
    def given(self) -> frozenset[str]:
        """The members that the client sent."""
        return frozenset(self.model_fields_set)
