"""The types of authentication to MCP servers: one module a type, and this registry."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Union

from pydantic import Field

from headgate.core.kind import Spec
from headgate.mcp import auth_static
from headgate.mcp.auth_kind import AuthKind

AUTHS: dict[str, AuthKind[Any]] = {kind.name: kind for kind in (auth_static.BEARER, auth_static.API_KEY)}
"""Every type of this build, by its name."""

if TYPE_CHECKING:
    Auth = Spec
else:
    Auth = Annotated[Union[tuple(kind.spec for kind in AUTHS.values())], Field(discriminator="type")]  # noqa: UP007
    """The `auth` of a server."""
