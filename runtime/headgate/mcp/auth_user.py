"""Accounts of people at MCP servers: each person lets the gateway use their own (OAuth 2.1, authorization code)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from headgate.core.kind import Finding
from headgate.core.scalars import Secret
from headgate.mcp.auth_kind import AuthKind, AuthSpec

_METADATA = r"^https://[^\s/?#@]+/[^\s?#]+$"


class OAuth2User(AuthSpec):
    """The account of the person who calls: everybody lets the gateway use their own, once, in a browser."""

    type: Literal["oauth2_user"]
    client_id: Annotated[str, Field(min_length=1)] | None = None
    """The id under which the gateway was registered at the authorization server. Without it the gateway registers
    itself (RFC 7591), or is known by `metadata_url`."""
    client_secret: Secret | None = None
    """The secret that belongs to the id, where there is one."""
    auth_method: Literal["post", "basic", "none"] | None = None
    """Where id and secret are sent: in the form, in an Authorization header, or no secret at all; `post` where there is
    a secret, if unstated."""
    metadata_url: Annotated[str, Field(pattern=_METADATA, examples=["https://example.com/client.json"])] | None = None
    """The URL of a client id metadata document that you publish; it is the gateway's id at servers that take those."""
    issuer: Annotated[str, Field(pattern=r"^https?://[^\s?#]+$", examples=["https://login.example.com"])] | None = None
    """The authorization server that people must be sent to, as it names itself; any that the server names
    if unstated."""
    scopes: tuple[Annotated[str, Field(pattern=r"^[!#-\[\]-~]+$")], ...] = ()
    """The scopes to ask for; what the server asks for if unstated."""


def check_user(spec: OAuth2User) -> Iterator[Finding]:
    """The gateway is known in one way, and a secret belongs to an id."""
    if spec.client_id is None:
        for key in ("client_secret", "auth_method"):
            if getattr(spec, key) is not None:
                yield Finding(
                    (key,), "HG1003", f"{key!r} means nothing without 'client_id'", "add the id, or remove it"
                )
    elif spec.metadata_url is not None:
        message = "the gateway has an id already: 'client_id'"
        yield Finding(("metadata_url",), "HG1003", message, "keep one of 'client_id' and 'metadata_url'")
    if spec.client_id is None or spec.auth_method is None:
        return
    if spec.auth_method == "none" and spec.client_secret is not None:
        yield Finding(("auth_method",), "HG1003", "with 'none' the secret is not sent", "remove it, or the secret")
    elif spec.auth_method != "none" and spec.client_secret is None:
        message = f"{spec.auth_method!r} needs 'client_secret'"
        yield Finding(("auth_method",), "HG1003", message, "add the secret, or write none")


OAUTH2_USER: AuthKind[OAuth2User] = AuthKind("oauth2_user", OAuth2User, None, check_user)
