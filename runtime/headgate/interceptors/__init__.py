"""The family of interceptors: one module a kind, one line of this registry."""

from __future__ import annotations

from typing import Any

from headgate.core.kind import Kind
from headgate.core.ports import Interceptor
from headgate.interceptors import (
    audit,
    budget,
    cache,
    guard,
    rate_limit,
    redact,
    retry,
    secrets_scan,
    taint,
    transform,
    truncate,
    webhook,
)

_KINDS: tuple[Kind[Any, Interceptor], ...] = (
    audit.KIND,
    budget.KIND,
    cache.KIND,
    guard.KIND,
    rate_limit.KIND,
    redact.KIND,
    retry.KIND,
    secrets_scan.KIND,
    taint.KIND,
    transform.KIND,
    truncate.KIND,
    webhook.KIND,
)
INTERCEPTORS: dict[str, Kind[Any, Interceptor]] = {kind.name: kind for kind in _KINDS}
"""Every kind of interceptor by name."""
