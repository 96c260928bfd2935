"""What every native route has: a key with a scope, a body that is checked whole, a place in the OpenAPI document."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, ClassVar, TypeVar

import msgspec
from litestar import Request
from litestar.openapi.datastructures import ResponseSpec
from litestar.openapi.spec import OpenAPIMediaType, OpenAPIResponse, OpenAPIType, Operation, RequestBody, Schema
from pydantic import BaseModel, ValidationError

from headgate.core.errors import Invalid
from headgate.server.auth import require_scope

B = TypeVar("B", bound=BaseModel)
_ALWAYS = (401, 403, 422)
_PROBLEM = "application/problem+json"


class ErrorMember(msgspec.Struct):
    """The member that clients of agents-gateway read."""

    code: str
    message: str


class Place(msgspec.Struct, omit_defaults=True):
    """One thing that is wrong with a request: `pointer` is a JSON pointer into its body (RFC 6901)."""

    detail: str
    pointer: str = ""
    parameter: str = ""


class Problem(msgspec.Struct, omit_defaults=True):
    """An RFC 9457 problem; `errors` lists every place of a body that is wrong."""

    type: str
    title: str
    status: int
    detail: str
    error: ErrorMember
    errors: list[Place] = []


def native(
    tag: str,
    summary: str,
    *,
    scopes: tuple[str, ...],
    answers: Mapping[int, Any],
    body: type[BaseModel] | None = None,
    errors: Collection[int] = (),
    streams: bool = False,
) -> dict[str, Any]:
    """The arguments of a route's decorator: `answers` are the types of its bodies by status, `errors` the statuses of
    problems besides those that every route can have; `streams` says that it can also answer with events."""
    specs = {status: _described(status, answer) for status, answer in answers.items()}
    specs |= {status: _described(status, Problem, _PROBLEM) for status in (*_ALWAYS, *errors)}
    return {
        "guards": [require_scope],
        "opt": {"scopes": scopes},
        "tags": [tag],
        "summary": summary,
        "status_code": min(answers),
        "responses": specs | {400: _described(400, Problem, _PROBLEM)},
        "operation_class": _operation(body, streams=streams),
        "security": [{"key": []}],
    }


def _described(status: int, answer: Any, media_type: str = "application/json") -> ResponseSpec:
    return ResponseSpec(answer, generate_examples=False, description=HTTPStatus(status).phrase, media_type=media_type)


@dataclass
class _Described(Operation):
    """An operation with what the framework does not see: the body, which its handler reads by itself, and the stream
    that it can answer with."""

    schema: ClassVar[dict[str, Any] | None]
    streams: ClassVar[bool]

    def __post_init__(self) -> None:
        if self.schema is not None:
            content = {"application/json": OpenAPIMediaType(schema=self.schema)}  # type: ignore[arg-type]
            self.request_body = RequestBody(content=content, required=True)
        answer = (self.responses or {}).get("200")
        if self.streams and isinstance(answer, OpenAPIResponse):
            events = OpenAPIMediaType(schema=Schema(type=OpenAPIType.STRING, description="Events of the run."))
            answer.content = {**(answer.content or {}), "text/event-stream": events}


def _operation(body: type[BaseModel] | None, *, streams: bool) -> type[Operation]:
    schema = body.model_json_schema() if body else None
    inlined = _inlined(schema, schema.pop("$defs", {})) if schema else None
    return type("Described", (_Described,), {"schema": inlined, "streams": streams})


def _inlined(node: Any, definitions: Mapping[str, Any]) -> Any:
    """The schema with the definitions in the place of references to them, which would lead out of the document."""
    if isinstance(node, list):
        return [_inlined(each, definitions) for each in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        return _inlined(definitions[node["$ref"].removeprefix("#/$defs/")], definitions)
    return {key: _inlined(each, definitions) for key, each in node.items()}


async def read(request: Request[Any, Any, Any], model: type[B], *, empty: bool = False) -> B:
    """The typed body, or with `empty` that of a request without one; raises `Invalid` with every place."""
    raw = await request.body()
    try:
        return model.model_validate_json(b"{}" if empty and not raw else raw)
    except ValidationError as error:
        places = [_place(each) for each in error.errors(include_url=False, include_input=False)]
        first = places[0]["detail"]
        raise Invalid(f"the body is not what this route takes: {first}", details={"errors": places}) from None


def _place(each: Any) -> dict[str, str]:
    path = "".join(f"/{str(key).replace('~', '~0').replace('/', '~1')}" for key in each["loc"])
    return {"detail": each["msg"], "pointer": f"#{path}"}
