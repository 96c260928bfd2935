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
    """Guard: a valid key that holds one of the scopes in the route's `opt["scopes"]`; names the principal."""
    header = connection.headers.get("authorization", "")
    scheme, _, key = header.partition(" ")
    if scheme.lower() != "bearer" or not key:
        raise Unauthenticated("send the header 'Authorization: Bearer <API key>'")
    principal = find_principal(connection.app.state["edge"].snapshot, key.strip())
    if principal is None:
        raise Unauthenticated("the API key is not valid", code="invalid_credentials")
    principal.require(*handler.opt["scopes"])
    connection.scope["user"] = principal
