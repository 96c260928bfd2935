"""Who asks: an API key as a bearer token (RFC 6750), for every native route alike."""

from __future__ import annotations

import hmac
from typing import Any

from litestar.connection import ASGIConnection
from litestar.handlers.base import BaseRouteHandler

from headgate.core.apikeys import digest_of, mistyped
from headgate.core.context import Principal
from headgate.core.errors import Unauthenticated
from headgate.server.edge import Edge


def find_principal(edge: Edge, key: str) -> Principal | None:
    """The holder of the key, unless its time is over. Every digest is compared, in constant time each."""
    digest = digest_of(key)
    found = None
    for held, principal in edge.snapshot.principals.items():
        if hmac.compare_digest(held, digest):
            found = principal
    return edge.host.warden.current(found)


def authenticate(edge: Edge, key: str) -> Principal:
    """The holder of the key; raises `Unauthenticated`."""
    if mistyped(key):
        raise Unauthenticated("the API key is cut off or mistyped: its checksum is wrong", code="invalid_credentials")
    principal = find_principal(edge, key)
    if principal is None:
        raise Unauthenticated("the API key is not valid", code="invalid_credentials")
    return principal


def require_scope(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    """Guard: a valid key that holds one of the scopes in the route's `opt["scopes"]`; names the principal.

    A scope may name a parameter of the path in braces.
    """
    header = connection.headers.get("authorization", "")
    scheme, _, key = header.partition(" ")
    if scheme.lower() != "bearer" or not key:
        raise Unauthenticated("send the header 'Authorization: Bearer <API key>'")
    principal = authenticate(connection.app.state["edge"], key.strip())
    connection.scope["user"] = principal  # known from here on, also to the audit log when it may not
    wanted = [scope.format_map(connection.path_params) for scope in handler.opt["scopes"]]
    if not any(_holds_some(principal, scope) for scope in wanted):
        principal.require(*wanted)


def _holds_some(principal: Principal, scope: str) -> bool:
    """Whether the scope ends with `*` and the principal has it for one object at least: the handler sees for which."""
    return scope.endswith(":*") and any(held.startswith(scope[:-1]) for held in principal.scopes)
