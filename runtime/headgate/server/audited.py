"""Has the audit log tell of requests: of those that were not let in, and of those that change something by themselves.

Runs, their questions and answers have records of their own. Reading has none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from headgate.core.context import Principal
from headgate.engine.auditor import Auditor

if TYPE_CHECKING:
    from litestar.types import ASGIApp, HTTPScope

_READING = ("GET", "HEAD", "OPTIONS", "NONE")
_PATH = 200


class Audited:
    """An ASGI application in front of another."""

    def __init__(self, app: ASGIApp, auditor: Auditor) -> None:
        self.app = app
        self._auditor = auditor

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Passes the request on, and tells of it when it has been answered."""
        app: Any = self.app
        if scope["type"] == "lifespan":
            await app(scope, receive, send)
            return
        status = 0

        def seen(message: Any) -> Any:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            return send(message)

        await app(scope, receive, seen)
        if status in (401, 403) or changes(scope["method"], scope["path"]):
            await self._tell(scope, status)

    async def _tell(self, scope: HTTPScope, status: int) -> None:
        user: Any = scope.get("user")
        by = user if isinstance(user, Principal) else None
        method, path, client = scope["method"], scope["path"][:_PATH], scope.get("client")
        details = {"method": method, "path": path, "status": status, "client": client[0] if client else ""}
        if status in (401, 403):
            outcome = "unauthenticated" if status == 401 else "forbidden"
            await self._auditor.refused(by, outcome=outcome, details=details)
        else:
            await self._auditor.tell("admin.request", by, outcome="ok" if status < 400 else "error", details=details)


def changes(method: str, path: str) -> bool:
    """Whether a request is one to administrate, or takes something away."""
    if method in _READING:
        return False
    return path.startswith("/v1/admin/") or method == "DELETE" or path.endswith(("/cancel", "/close"))
