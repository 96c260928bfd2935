"""Failures as answers: RFC 9457 problems on native routes, `{"detail": ...}` below `/api`.

Every answer has a stable code and a sentence; none has a traceback, a repr or a secret.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any

import structlog
from litestar import Request
from litestar.exceptions import HTTPException, ValidationException
from litestar.response.base import ASGIResponse, Response

from headgate.core.errors import GatewayError, RequestError, StoreError
from headgate.manifest.diagnostics import render_json
from headgate.server.wire import dump

log = structlog.get_logger("headgate.server")

COMPATIBLE = "api/"
_CODES = {
    400: "bad_request",
    404: "not_found",
    405: "method_not_allowed",
    413: "too_large",
    415: "unsupported_media_type",
}


def problem(status: int, code: str, detail: str, **members: Any) -> dict[str, Any]:
    """An RFC 9457 problem with the member `error: {code, message}` that clients of agents-gateway read."""
    title = HTTPStatus(status).phrase
    body = {"type": "about:blank", "title": title, "status": status, "detail": detail}
    return body | {"error": {"code": code, "message": detail}} | members


def respond(
    path: str, status: int, code: str, detail: str, headers: Mapping[str, str], **members: Any
) -> Response[bytes]:
    """The answer in the dialect of the path."""
    compatible = path.lstrip("/").startswith(COMPATIBLE)
    body = {"detail": detail} if compatible else problem(status, code, detail, **members)
    media_type = "application/json" if compatible else "application/problem+json"
    return Response(dump(body), status_code=status, media_type=media_type, headers=dict(headers))


def on_gateway_error(request: Request[Any, Any, Any], error: GatewayError) -> Response[bytes]:
    """A deliberate failure."""
    if isinstance(error, RequestError):
        status, detail = error.status, error.message
    else:
        status, detail = 503 if isinstance(error, StoreError) else 500, "the gateway cannot do this now"
        log.error("request.failed", path=request.scope["path"], code=error.code, message=error.message)
    headers = {"www-authenticate": "Bearer"} if status == 401 else {}
    if "retry_after" in error.details:
        headers["retry-after"] = str(error.details["retry_after"])
    members: dict[str, Any] = {"errors": _places(error.details["errors"])} if "errors" in error.details else {}
    if "diagnostics" in error.details:
        members["diagnostics"] = render_json("", error.details["diagnostics"])["diagnostics"]
    return respond(request.scope["path"], status, error.code, detail, headers, **members)


def _places(errors: Iterable[Any]) -> list[Any]:
    """What is wrong, as objects; checks of an agent's input give sentences."""
    return [{"detail": each, "pointer": "#/input"} if isinstance(each, str) else each for each in errors]


def _parameter(name: str) -> str:
    """The name on the wire of a handler's argument; the framework keeps `state` for itself."""
    return "state" if name == "wanted" else name


def on_http_error(request: Request[Any, Any, Any], error: HTTPException) -> Response[bytes]:
    """A failure that the framework found: no such route, wrong method, a parameter that it cannot read."""
    path, status = request.scope["path"], error.status_code
    if isinstance(error, ValidationException):
        extra: Any = error.extra or ()
        wrong = [{"detail": each["message"], "parameter": _parameter(each["key"])} for each in extra if "key" in each]
        named = ", ".join(each["parameter"] for each in wrong)
        return respond(path, 422, "invalid_request", f"parameters that cannot be read: {named}", {}, errors=wrong)
    compatible = path.lstrip("/").startswith(COMPATIBLE)
    detail = HTTPStatus(status).phrase if compatible else error.detail or HTTPStatus(status).phrase
    headers = {name.lower(): value for name, value in (error.headers or {}).items()}
    if "allow" in headers:  # OPTIONS is answered everywhere, and clients were never told so
        headers["allow"] = ", ".join(name for name in headers["allow"].split(", ") if name != "OPTIONS")
    return respond(path, status, _CODES.get(status, "http_error"), detail, headers)


def on_crash(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """A failure that nobody foresaw; the log has it, the client does not."""
    log.error("request.crashed", path=request.scope["path"], exc_info=error)
    return respond(request.scope["path"], 500, "internal_error", "Internal Server Error", {})


def refusal(path: str, status: int, code: str, detail: str) -> ASGIResponse:
    """The same for middleware, which answers without a request object."""
    response = respond(path, status, code, detail, {})
    return ASGIResponse(body=response.content, status_code=status, media_type=response.media_type)
