"""The manifest of a tool of kind `http`."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from headgate.core.kind import Spec
from headgate.core.ports import Annotations
from headgate.core.scalars import Duration, Secret, SomeSize
from headgate.expressions.body import TemplateBody, TemplateList, TemplateScalar
from headgate.expressions.shape import ShapeText
from headgate.expressions.template import TemplateText
from headgate.net.oauth import ClientCredentials
from headgate.tools.common import ToolSpec
from headgate.tools.trials import Data, Table, ToolTest

Method = Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]
_SAFE = frozenset({"GET", "HEAD"})
_ENVELOPE = frozenset({"status", "headers", "body"})


class Request(Spec):
    """The request; strings may hold templates such as `{{ args.name }}`."""

    method: Method = "GET"
    """The method."""
    url: TemplateText
    """An absolute URL. Values are percent-encoded; scheme and host are written out."""
    query: dict[str, TemplateList] = {}
    """Query parameters; a list repeats its key, an absent argument leaves it out."""
    headers: dict[str, TemplateScalar] = {}
    """Header fields; an absent argument leaves its field out."""
    body: TemplateBody | None = None
    """The JSON body, or a text."""
    form: dict[str, TemplateList] | None = None
    """The fields of a URL-encoded form, instead of a body."""


class Bearer(Spec):
    """A fixed token in the Authorization header."""

    type: Literal["bearer"]
    token: Secret
    """The token."""


class Basic(Spec):
    """User name and password (RFC 7617)."""

    type: Literal["basic"]
    username: str
    """The user name, without a colon."""
    password: Secret
    """The password."""


class ApiKey(Spec):
    """A key in a header or in a query parameter."""

    type: Literal["api_key"]
    key: Secret
    """The key."""
    header: str | None = None
    """The header that carries it."""
    query: str | None = None
    """The query parameter that carries it."""

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if (self.header is None) == (self.query is None):
            raise PydanticCustomError("api_key", "an API key needs either 'header' or 'query'")
        return self


Auth = Annotated[Bearer | Basic | ApiKey | ClientCredentials, Field(discriminator="type")]


class Retry(Spec):
    """Further attempts after a lost connection or a status that may pass (408, 425, 429, 500, 502, 503, 504)."""

    max: Annotated[int, Field(ge=0, le=10)] = 2
    """Attempts after the first."""
    backoff: Duration = 0.5
    """The first delay; it doubles with every attempt. A Retry-After of the server is honoured."""


class Paginate(Spec):
    """How to find the next page; exactly one of next, cursor, page and link."""

    next: ShapeText | None = None
    """JMESPath of the next page's URL."""
    cursor: ShapeText | None = None
    """JMESPath of the cursor, sent in the query parameter `param`."""
    param: str | None = None
    """The query parameter that carries the cursor."""
    page: str | None = None
    """The query parameter that counts pages; the first empty page ends."""
    start: int | None = None
    """The number of the first page; 1 if unstated."""
    link: Literal[True] | None = None
    """Follow the Link header with rel=next (RFC 8288)."""
    items: ShapeText | None = None
    """JMESPath of a page's list; the whole page if unstated."""
    max_pages: Annotated[int, Field(ge=1, le=1000)] = 10
    """How many pages are read at most."""

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        ways = [self.next, self.cursor, self.page, self.link]
        if sum(way is not None for way in ways) != 1:
            raise PydanticCustomError("paginate", "needs exactly one of 'next', 'cursor', 'page' and 'link'")
        if (self.cursor is None) != (self.param is None):
            raise PydanticCustomError("paginate", "'cursor' and 'param' go together")
        if self.start is not None and self.page is None:
            raise PydanticCustomError("paginate", "'start' belongs to 'page'")
        return self


class ExpectedRequest(Spec):
    """The first request that a call makes; what is not stated is not looked at."""

    method: Method | None = None
    """The method."""
    url: str | None = None
    """The URL, encoded; without its query unless there is a `?` in it."""
    query: Table | None = None
    """All query parameters, decoded; a list for one that is repeated."""
    headers: dict[str, str] = {}
    """Some of the header fields."""
    body: Data = None
    """The body: JSON, the fields of a form, or text."""


def read_answer(answer: Any) -> tuple[int, dict[str, Any], Any]:
    """Status, headers and body of a canned answer.

    A table that has a numeric `status` and nothing but `status`, `headers` and `body` is a whole response; everything
    else is the body.
    """
    if isinstance(answer, dict) and answer.keys() <= _ENVELOPE and type(answer.get("status")) is int:
        return answer["status"], answer.get("headers") or {}, answer.get("body", "")
    return 200, {}, answer


class HttpTest(ToolTest):
    """One call of the tool with canned answers, and what must come of it."""

    judged: ClassVar[tuple[str, ...]] = ("expect", "error", "request")

    response: Data = None
    """What every request is answered: the JSON body, a text, or a table with `status`, `headers` and `body`."""
    responses: tuple[Data, ...] = ()
    """What the requests are answered, one after the other: pages, attempts."""
    request: ExpectedRequest | None = None
    """The request that the call must make."""

    @model_validator(mode="after")
    def _answered(self) -> Self:
        given = self.model_fields_set & {"response", "responses"}
        if len(given) == 2:
            raise PydanticCustomError("http_test", "'response' and 'responses' exclude each other")
        if "expect" in self.model_fields_set and not given:
            raise PydanticCustomError("http_test", "'expect' needs 'response' or 'responses'")
        return self

    @property
    def bodies(self) -> list[Any]:
        """What the answers with a status below 400 say."""
        answers = map(read_answer, (self.response, *self.responses))
        return [body for status, _, body in answers if status < 400]


class HttpSpec(ToolSpec):
    """One HTTP request."""

    kind: Literal["http"]
    request: Request
    """The request that a call makes."""
    auth: Auth | None = None
    """How the request is authorised."""
    retry: Retry | None = None
    """Further attempts, for idempotent tools alone."""
    paginate: Paginate | None = None
    """How a list that comes in pages is put together."""
    max_bytes: SomeSize = 1 << 20
    """How large the answer may be, decompressed, all pages together."""
    tests: tuple[HttpTest, ...] = ()
    """Inline tests, which `headgate test` runs."""

    @property
    def behaviour(self) -> Annotations:
        """The annotations; GET and HEAD are read-only and idempotent by themselves, PUT and DELETE idempotent."""
        safe = self.request.method in _SAFE
        repeatable = safe or self.request.method in ("PUT", "DELETE")
        return self.annotations.over(Annotations(read_only=safe, destructive=not safe, idempotent=repeatable))

    @property
    def repeatable(self) -> bool:
        """Whether a request that broke off may be sent again."""
        return self.behaviour.idempotent or self.behaviour.read_only
