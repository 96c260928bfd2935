"""How a secret can fail to be had. No message ever holds a value, or what a back-end said in its own words."""

from __future__ import annotations

from typing import ClassVar

from headgate.core.errors import GatewayError


class SecretError(GatewayError):
    """A secret could not be had; one of the subclasses says why."""

    default_code = "secret_unavailable"


class SecretNotFound(SecretError):
    """There is no such secret, or it has no such member."""

    default_code: ClassVar[str] = "secret_not_found"


class SecretDenied(SecretError):
    """The back-end refuses the credentials, or the path is outside what it may show."""

    default_code: ClassVar[str] = "secret_denied"


class SecretUnavailable(SecretError):
    """The back-end did not answer, or not with a secret."""

    default_code: ClassVar[str] = "secret_unavailable"
