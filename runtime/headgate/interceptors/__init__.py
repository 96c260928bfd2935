"""The family of interceptors: one module a kind, one line of this registry."""

from __future__ import annotations

from typing import Any

from headgate.core.kind import Kind
from headgate.core.ports import Interceptor
from headgate.interceptors import rate_limit

INTERCEPTORS: dict[str, Kind[Any, Interceptor]] = {kind.name: kind for kind in (rate_limit.KIND,)}
"""Every kind of interceptor by name."""
