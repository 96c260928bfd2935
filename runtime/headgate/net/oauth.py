"""Token endpoints of OAuth 2 (RFC 6749): what is asked of them, and what their answers mean."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal
from urllib.parse import quote_plus

import httpx2
import msgspec
from pydantic import Field

from headgate.core.errors import EgressRefused, ToolError
from headgate.core.kind import Spec
from headgate.core.scalars import Secret
from headgate.net.client import exchange, read_start
from headgate.net.tokens import DEFAULT_LIFETIME, Fetch, Token

_MAX_ANSWER = 64 * 1024
_ERROR_CODE = re.compile(r"[A-Za-z0-9_.-]{1,64}")


class ClientCredentials(Spec):
    """A token that the gateway fetches by itself (RFC 6749 §4.4)."""

    type: Literal["oauth2_client_credentials"]
    token_url: Annotated[str, Field(pattern=r"^https?://[^\s/]+")]
    """Where tokens are issued."""
    client_id: str
    """The client's id."""
    client_secret: Secret
    """The client's secret."""
    scopes: tuple[str, ...] = ()
    """The scopes to ask for."""
    extra_params: dict[str, str] = {}
    """Further fields of the token request, such as audience."""
    auth_method: Literal["post", "basic"] = "post"
    """Where id and secret are sent: in the form, or in an Authorization header."""


def client_credentials(client: httpx2.AsyncClient, spec: ClientCredentials) -> Fetch:
    """Asks for a token of the client-credentials grant."""
    scope = {"scope": " ".join(spec.scopes)} if spec.scopes else {}
    form = {**spec.extra_params, **scope, "grant_type": "client_credentials"}
    headers = {}
    if spec.auth_method == "basic":
        headers["Authorization"] = basic(spec.client_id, spec.client_secret)
    else:
        form |= {"client_id": spec.client_id, "client_secret": spec.client_secret}

    async def fetch() -> Token:
        return await ask(client, spec.token_url, form, headers)

    return fetch


def basic(client_id: str, secret: str) -> str:
    """Id and secret are form-encoded before they are joined (RFC 6749 §2.3.1)."""
    pair = f"{quote_plus(client_id)}:{quote_plus(secret)}"
    return f"Basic {base64.b64encode(pair.encode()).decode()}"


class TokenRefused(ToolError):
    """A token endpoint answered with an error; `reason` is its code (RFC 6749 §5.2), empty when it gave none."""

    default_code = "auth_error"

    def __init__(self, status: int, reason: str) -> None:
        shown = f" ({reason})" if reason else ""
        retryable = status >= 500 or status in (408, 429)
        super().__init__("auth_error", f"the token server answered {status}{shown}", retryable=retryable)
        self.reason = reason


async def ask(
    client: httpx2.AsyncClient, url: str, form: Mapping[str, str], headers: Mapping[str, str] | None = None
) -> Token:
    """The token that the endpoint at `url` issues for `form`; raises `ToolError("auth_error")`, or `EgressRefused`."""
    answer = await ask_whole(client, url, form, headers)
    return Token(answer["access_token"], lifetime(answer.get("expires_in")))


async def ask_whole(
    client: httpx2.AsyncClient, url: str, form: Mapping[str, str], headers: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """The whole answer of the endpoint, in which `access_token` is a usable bearer token; raises as `ask` does."""
    request = client.build_request("POST", url, data=form, headers={"Accept": "application/json", **(headers or {})})
    try:
        async with exchange(client, request) as response:
            body = await read_start(response, _MAX_ANSWER)
    except EgressRefused:
        raise
    except httpx2.HTTPError as error:
        raise ToolError("auth_error", "the token server could not be reached", retryable=True) from error
    answer = _decode(body)
    if response.status_code not in (200, 201):
        raise _refused(response.status_code, answer)
    _require_bearer(answer)
    return answer


def _require_bearer(answer: Mapping[str, Any]) -> None:
    token = answer.get("access_token")
    if not isinstance(token, str) or not is_token(token):
        raise ToolError("auth_error", "the token server's answer has no usable access_token")
    if str(answer.get("token_type", "bearer")).lower() != "bearer":
        raise ToolError("auth_error", "the token server's answer is not a bearer token")


def is_token(text: str) -> bool:
    """Whether the text can stand in a header as a token."""
    return bool(text) and text.isascii() and text.isprintable()


def lifetime(given: Any, default: float = DEFAULT_LIFETIME) -> float:
    """The seconds that are given as a number, or as one in a text; the default where they make no sense."""
    try:
        seconds = float(given)
    except (TypeError, ValueError):
        return default
    return seconds if 0 < seconds < float("inf") else default


def _decode(body: bytes) -> dict[str, Any]:
    try:
        answer = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}
    return answer if isinstance(answer, dict) else {}


def _refused(status: int, answer: Mapping[str, Any]) -> TokenRefused:
    """The failure in words; of the server's own only the error code is told (RFC 6749 §5.2)."""
    code = answer.get("error")
    return TokenRefused(status, code if isinstance(code, str) and _ERROR_CODE.fullmatch(code) else "")


async def revoke(
    client: httpx2.AsyncClient, url: str, form: Mapping[str, str], headers: Mapping[str, str] | None = None
) -> bool:
    """Whether the endpoint at `url` revoked the token of `form` (RFC 7009 §2); a failure of any kind is False."""
    request = client.build_request("POST", url, data=form, headers=dict(headers or {}))
    try:
        async with exchange(client, request) as response:
            return response.status_code == 200
    except (EgressRefused, httpx2.HTTPError):
        return False
