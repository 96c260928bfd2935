"""Who asks: an API key as a bearer token (RFC 6750), for every native route alike."""

from __future__ import annotations

import hmac
from hashlib import sha256
from typing import Any

from litestar.connection import ASGIConnection
from litestar.handlers.base import BaseRouteHandler

from headgate.compile.plan import Snapshot
from headgate.core.context import Principal
from headgate.core.errors import Unauthenticated


def find_principal(snapshot: Snapshot, key: str) -> Principal | None:
    """The holder of the key. Every digest is compared, in constant time each."""
    digest = sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
    found = None
    for held, principal in snapshot.principals.items():
        if hmac.compare_digest(held, digest):
            found = principal
    return found


def require_scope(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    """Guard: a valid key that holds one of the scopes in the route's `opt["scopes"]`; names the principal.

    A scope may name a parameter of the path in braces.
    """
    header = connection.headers.get("authorization", "")
    scheme, _, key = header.partition(" ")
    if scheme.lower() != "bearer" or not key:
        raise Unauthenticated("send the header 'Authorization: Bearer <API key>'")
    principal = find_principal(connection.app.state["edge"].snapshot, key.strip())
    if principal is None:
        raise Unauthenticated("the API key is not valid", code="invalid_credentials")
    connection.scope["user"] = principal  # known from here on, also to the audit log when it may not
    wanted = [scope.format_map(connection.path_params) for scope in handler.opt["scopes"]]
    if not any(_holds_some(principal, scope) for scope in wanted):
        principal.require(*wanted)


def _holds_some(principal: Principal, scope: str) -> bool:
    """Whether the scope ends with `*` and the principal has it for one object at least: the handler sees for which."""
    return scope.endswith(":*") and any(held.startswith(scope[:-1]) for held in principal.scopes)
