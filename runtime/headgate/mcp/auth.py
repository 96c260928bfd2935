"""The types of authentication to MCP servers: one module a type, and this registry."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Union

from pydantic import Field

from headgate.mcp.auth_command import COMMAND
from headgate.mcp.auth_google import GOOGLE
from headgate.mcp.auth_kind import AuthKind, AuthSpec
from headgate.mcp.auth_oauth2 import OAUTH2
from headgate.mcp.auth_static import API_KEY, BEARER
from headgate.mcp.auth_user import OAUTH2_USER

AUTHS: dict[str, AuthKind[Any]] = {kind.name: kind for kind in (BEARER, API_KEY, OAUTH2, OAUTH2_USER, GOOGLE, COMMAND)}
"""Every type of this build, by its name."""

if TYPE_CHECKING:
    Auth = AuthSpec
else:
    Auth = Annotated[Union[tuple(kind.spec for kind in AUTHS.values())], Field(discriminator="type")]  # noqa: UP007
    """The `auth` of a server."""


def kind_of(spec: AuthSpec) -> AuthKind[Any]:
    """The type that the spec is of."""
    return next(kind for kind in AUTHS.values() if kind.spec is type(spec))
