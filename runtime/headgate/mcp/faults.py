"""Why a server could not be reached or did not answer, in the four codes that the gateway tells."""

from __future__ import annotations

import errno
from collections.abc import Iterator

import httpx2

from headgate.core.errors import ConfigError, EgressRefused, GatewayError
from headgate.core.messages import ErrorInfo


class ServerFault(GatewayError):
    """An MCP server cannot be used: `connection_error`, `timeout`, `auth_error` or `config_error`.

    `sent` says whether the server may have got the request that failed.
    """

    default_code = "connection_error"

    def __init__(self, message: str, *, code: str | None = None, retryable: bool = True, sent: bool = True) -> None:
        super().__init__(message, code=code, retryable=retryable)
        self.sent = sent

    @property
    def info(self) -> ErrorInfo:
        """The fault as it is shown."""
        return ErrorInfo(self.code, self.message, self.retryable)


class EndedEarly(ServerFault):
    """The server ended the connection before a protocol was agreed on."""


def leaves(error: BaseException) -> Iterator[BaseException]:
    """What is inside of groups of exceptions, however deep, the first first."""
    if isinstance(error, BaseExceptionGroup):
        for each in error.exceptions:
            yield from leaves(each)
    else:
        yield error


def fault_of(error: BaseException, status: int | None = None) -> ServerFault:
    """The fault that the failure of a connection stands for; `status` is the last HTTP error of the server."""
    found = [*leaves(error)]
    for each in found:
        if isinstance(each, ServerFault):
            return each
    for each in found:
        known = _known(each)
        if known is not None:
            return known
    if status is not None:
        return of_status(status)
    return ServerFault(_said(found[0]) if found else "the connection failed")


def of_status(status: int) -> ServerFault:
    """The fault of an HTTP status."""
    if status in (401, 403):
        message = f"the server answered {status}: the credential is missing or refused"
        return ServerFault(message, code="auth_error", retryable=False)
    return ServerFault(f"the server answered {status}")


def _known(error: BaseException) -> ServerFault | None:
    match error:
        case EgressRefused() | ConfigError():
            return ServerFault(error.message, code="config_error", retryable=False)
        case GatewayError(code="auth_error"):
            return ServerFault(error.message, code="auth_error", retryable=error.retryable)
        case GatewayError():
            return ServerFault(error.message, retryable=error.retryable)
        case httpx2.HTTPStatusError():
            return of_status(error.response.status_code)
        case httpx2.TimeoutException() | TimeoutError():
            return ServerFault("the server did not answer in time", code="timeout")
        case httpx2.ConnectError():
            return ServerFault(f"the server cannot be reached: {error}", sent=False)
        case httpx2.TransportError() | httpx2.StreamError():
            return ServerFault(f"the connection broke off: {error or type(error).__name__}")
        case httpx2.InvalidURL():
            return ServerFault(f"the URL cannot be used: {error}", code="config_error", retryable=False)
        case OSError() if error.errno in (errno.ENOENT, errno.EACCES, errno.ENOEXEC, errno.ENOTDIR, errno.E2BIG):
            return ServerFault(f"the program cannot be started: {error.strerror}", retryable=False, sent=False)
        case OSError():
            return ServerFault(f"the program cannot be started: {error.strerror or error}")
    return None


def _said(error: BaseException) -> str:
    text = str(error).strip()
    return text or f"the connection failed with {type(error).__name__}"
