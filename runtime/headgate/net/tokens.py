"""Access tokens that are fetched: kept, refreshed early, and asked for by one request at a time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from headgate.core.errors import GatewayError

DEFAULT_LIFETIME = 3600.0
"""Seconds a token is taken to live when nobody says."""
EARLY = 300.0
"""Seconds before its end at which a token is replaced, at most; short-lived ones at a fifth of their life."""
PAUSE, LONGEST_PAUSE = 0.5, 60.0
"""Seconds after a failure in which nobody is asked again; they double with every failure, up to the longest."""
SETTLED = 10.0
"""Seconds in which the replacement of a token that was not taken is not replaced again."""


@dataclass(frozen=True, slots=True)
class Token:
    """An access token and how many seconds it lives."""

    value: str = field(repr=False)
    lifetime: float = DEFAULT_LIFETIME


Fetch = Callable[[], Awaitable[Token]]
"""Gets a token from where they are issued; raises a `GatewayError`."""


class TokenSource:
    """A source of access tokens, which `fetch` gets; `clock` counts seconds."""

    def __init__(self, fetch: Fetch, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._fetch = fetch
        self._clock = clock
        self._lock = asyncio.Lock()
        self._refresh_at = self._ends_at = self._again_at = self._replaced_at = float("-inf")
        self._failure: GatewayError | None = None
        self._failures = 0
        self._rejected = False
        self.current = ""

    async def token(self) -> str:
        """A token that is good for now; raises what `fetch` does.

        A token that could not be replaced early is used until its end. After a failure nobody is asked for a while,
        and the failure is raised again.
        """
        if self._fresh():
            return self.current
        async with self._lock:
            if not self._fresh():
                await self._refresh()
            return self.current

    def reject(self, token: str) -> bool:
        """Says that a server did not take `token`; whether the next call of `token` gives another one.

        It does not while the token is the replacement of one that was rejected moments ago: a server that takes no
        token at all must not make every call a request for one.
        """
        if token != self.current:
            return True
        if self._clock() < self._replaced_at + SETTLED:
            return False
        self._rejected = True
        self._refresh_at = self._ends_at = float("-inf")
        return True

    def _fresh(self) -> bool:
        return self._clock() < self._refresh_at

    async def _refresh(self) -> None:
        asked_at = self._clock()
        if asked_at >= self._again_at:
            try:
                self._keep(await self._fetch(), asked_at)
            except GatewayError as error:
                self._fail(error)
        if self._failure is not None and self._clock() >= self._ends_at:
            raise self._failure.with_traceback(None)

    def _keep(self, token: Token, asked_at: float) -> None:
        self.current = token.value
        self._ends_at = asked_at + token.lifetime
        self._refresh_at = self._ends_at - min(EARLY, 0.2 * token.lifetime)
        self._failure, self._failures, self._again_at = None, 0, float("-inf")
        if self._rejected:
            self._rejected, self._replaced_at = False, self._clock()

    def _fail(self, error: GatewayError) -> None:
        self._failure = error
        self._again_at = self._clock() + min(LONGEST_PAUSE, PAUSE * 2.0 ** min(self._failures, 16))
        self._failures += 1
