"""The aiohttp transport that the SDKs are given: what it is configured with, and what it may raise."""

from __future__ import annotations

from typing import Any

import aiohttp
import httpx2

_CONNECTIONS = 10_000
_KEEPALIVE = 60.0
LOST = (httpx2.HTTPError, aiohttp.ClientError, OSError)
"""What a broken connection may raise through the layers of the transport; `TimeoutError` is an `OSError` too."""


def transport() -> dict[str, Any]:
    """The arguments of an SDK's aiohttp client; time limits are the caller's: for the beginning and for silence."""
    return {
        "limits": httpx2.Limits(max_connections=_CONNECTIONS, keepalive_expiry=_KEEPALIVE),
        "timeout": httpx2.Timeout(None),
        "follow_redirects": False,
    }
