"""What the rules of the live revision decided since the process began."""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import get
from litestar.di import NamedDependency
from litestar.response.base import ASGIResponse

from headgate.server.edge import Edge
from headgate.server.native import native
from headgate.server.wire import answer

READERS = ("policies:read", "admin:policies")


class Declared(msgspec.Struct):
    """An interceptor, in the order of the file."""

    name: str
    kind: str
    mode: str


class PoliciesView(msgspec.Struct):
    """`decisions` counts what each decided, by what came of it."""

    interceptors: list[Declared]
    decisions: list[dict[str, Any]]


@get("/v1/policies", **native("policies", "What policies decided", scopes=READERS, answers={200: PoliciesView}))
async def policies(edge: NamedDependency[Edge]) -> ASGIResponse:
    """The interceptors of the live revision in their order, and how often each of them, and each approval policy,
    decided what since the process began."""
    tables = edge.snapshot.gateway.interceptors
    declared = [
        {"name": name, "kind": each.get("kind"), "mode": each.get("mode", "enforce")} for name, each in tables.items()
    ]
    return answer({"interceptors": declared, "decisions": edge.host.decisions.shown()})
