"""The family of interceptors: one module a kind, one line of this registry."""

from __future__ import annotations

from typing import Any

from headgate.core.kind import Kind
from headgate.core.ports import Interceptor
from headgate.interceptors import budget, guard, rate_limit, secrets_scan, taint, webhook

_KINDS: tuple[Kind[Any, Interceptor], ...] = (
    budget.KIND,
    guard.KIND,
    rate_limit.KIND,
    secrets_scan.KIND,
    taint.KIND,
    webhook.KIND,
)
INTERCEPTORS: dict[str, Kind[Any, Interceptor]] = {kind.name: kind for kind in _KINDS}
"""Every kind of interceptor by name."""
