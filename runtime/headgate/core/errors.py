"""The error tree.

Everything that Headgate raises on purpose derives from `GatewayError`, carries a stable machine-readable `code`,
and says whether trying again can help:

    GatewayError
    ├── ConfigError          a manifest object cannot be opened as it is written
    ├── ProviderError        a model provider refused, failed or went silent
    ├── ToolError            a tool failed in a way that the model should read
    ├── EgressRefused        the egress guard refused an outbound address
    ├── PolicyRefused        an interceptor refuses a call or a model turn
    ├── StoreError           the ledger could not commit or read
    └── RequestError         a caller asked for something that cannot be had
        ├── Unauthenticated
        ├── Forbidden
        ├── NotFound
        ├── Conflict
        │   └── Gone
        ├── PreconditionFailed
        ├── Invalid
        ├── Overloaded
        └── Unavailable

Expected outcomes of a tool call are values (`ToolResult.status`), not exceptions; `ToolError` is how the author of a
tool spells "this call failed" and never leaves dispatch.
"""

from __future__ import annotations

from typing import Any, ClassVar


class GatewayError(Exception):
    """Base of every deliberate failure; `str(error)` is `code: message` and safe to show to a caller."""

    default_code: ClassVar[str] = "internal_error"

    def __init__(
        self, message: str, *, code: str | None = None, retryable: bool = False, details: dict[str, Any] | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or self.default_code
        self.retryable = retryable
        self.details = details or {}

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"


class ConfigError(GatewayError):
    """A manifest object is well-formed but cannot be opened; `key` is the path of the key to blame within it."""

    default_code = "config_error"

    def __init__(self, message: str, *, key: tuple[str | int, ...] = (), hint: str = "") -> None:
        super().__init__(message)
        self.key = key
        self.hint = hint


class ProviderError(GatewayError):
    """A model provider refused, failed or went silent.

    `status` is the HTTP status where there is one; an overload that arrives inside a stream has the status it stands
    for (529), not the 200 of the stream. `retry_after` is in seconds.
    """

    default_code = "provider_error"

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        retryable: bool = False,
        status: int | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message, code=code, retryable=retryable)
        self.status = status
        self.retry_after = retry_after


class ToolError(GatewayError):
    """What a tool raises to tell the model that the call failed; `code` may be the tool's own sub-code."""

    default_code = "tool_error"

    def __init__(
        self, code: str, message: str, *, retryable: bool = False, details: dict[str, Any] | None = None
    ) -> None:
        super().__init__(message, code=code, retryable=retryable, details=details)


class EgressRefused(GatewayError):
    """An outbound address is neither public HTTPS nor named in `[egress] allow`."""

    default_code = "egress_refused"


class PolicyRefused(GatewayError):
    """An interceptor refuses a call or a model turn; `code` is the reason, the message is for model and client.

    What comes of it is for the interceptor's `mode`: `enforce` refuses, `warn` and `audit` go on.
    """

    default_code = "policy_denied"


class StoreError(GatewayError):
    """The ledger could not commit or read; nothing of the failed transaction is kept."""

    default_code = "store_error"


class RequestError(GatewayError):
    """A caller asked for something that cannot be had; `status` is the HTTP status that says so."""

    default_code = "bad_request"
    status: ClassVar[int] = 400


class Unauthenticated(RequestError):
    """No credential, or one that is not valid."""

    default_code = "unauthenticated"
    status = 401


class Forbidden(RequestError):
    """A valid credential that lacks the scope, or that asks from a place that is not allowed."""

    default_code = "forbidden"
    status = 403


class NotFound(RequestError):
    """The thing does not exist, or not for this principal."""

    default_code = "not_found"
    status = 404


class Conflict(RequestError):
    """The thing is in a state that does not allow this now."""

    default_code = "conflict"
    status = 409


class Gone(Conflict):
    """The time for this is over."""

    default_code = "expired"
    status = 410


class PreconditionFailed(RequestError):
    """`If-Match` names another revision than the live one (RFC 9110 §13.1.1)."""

    default_code = "precondition_failed"
    status = 412


class Invalid(RequestError):
    """The request is understood and wrong; `details["errors"]` lists every place."""

    default_code = "invalid_request"
    status = 422


class Overloaded(RequestError):
    """A configured limit of the caller is reached; `details["retry_after"]` is in seconds where it is known."""

    default_code = "overloaded"
    status = 429


class Unavailable(RequestError):
    """The gateway as a whole takes no more work now; `details["retry_after"]` is in seconds."""

    default_code = "unavailable"
    status = 503
