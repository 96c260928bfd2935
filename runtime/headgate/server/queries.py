"""Query parameters that a native route does not have are refused: a misspelt filter would show everything."""

from __future__ import annotations

from typing import Any

from litestar import Litestar, Request
from litestar.handlers.base import BaseRouteHandler
from litestar.routes import HTTPRoute

from headgate.core.errors import Invalid
from headgate.manifest.diagnostics import suggest

_STATE = "queries"


def remember(app: Litestar) -> None:
    """Notes which parameters each native route has; routes of compatible APIs take whatever their clients send."""
    found: dict[BaseRouteHandler, frozenset[str]] = {}
    for route in app.routes:
        for handler, kwargs in route.route_handler_map.values() if isinstance(route, HTTPRoute) else ():
            if "scopes" in handler.opt:
                found[handler] = frozenset(each.field_alias for each in kwargs.expected_query_params)
    app.state[_STATE] = found


async def refuse_unknown(request: Request[Any, Any, Any]) -> None:
    """Raises `Invalid` for a request with parameters that its route does not have; the names are told, never values."""
    known = request.app.state[_STATE].get(request.route_handler)
    unknown = [each for each in dict.fromkeys(request.query_params) if known is not None and each not in known]
    if not unknown:
        return
    takes = f"this route takes {', '.join(sorted(known))}" if known else "this route takes none"
    errors = [{"detail": _said(each, known, takes), "parameter": each[:100]} for each in unknown]
    raise Invalid(errors[0]["detail"], details={"errors": errors})


def _said(name: str, known: frozenset[str], takes: str) -> str:
    guess = suggest(name, known)
    meant = f"; did you mean {guess!r}?" if guess else ""
    return f"there is no parameter {name[:100]!r}{meant}; {takes}"
