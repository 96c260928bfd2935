"""How a call whose result others bring passes its interceptors: once until it can only wait, and again with the result.

A run that waits is a row, so nothing of the way in can be kept on a stack. What each interceptor did on it is kept with
the question (`Trail`), and on the second way it does only what belongs to the result.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from headgate.core.inputs import Round
from headgate.core.messages import ToolCall, ToolResult


class Pass(msgspec.Struct, frozen=True, omit_defaults=True):
    """What one interceptor did with a call on the way in.

    `applied` says whether its condition held. `args` are those that it passed on, None for those that it got. `found`
    is why it would have refused the call, if it is one that is only watched. `memo` is what the interceptor itself
    wants to find again.
    """

    name: str
    applied: bool = True
    args: dict[str, Any] | None = None
    found: str = ""
    memo: dict[str, Any] = {}


class Trail(msgspec.Struct, frozen=True, omit_defaults=True):
    """What all of them did, the outermost first, and what they marked the call's result with."""

    passes: tuple[Pass, ...] = ()
    marks: dict[str, str] = {}


class Deferred(BaseException):
    """The innermost call can only wait: for its result, or for what its server asks in this `round`. Like a
    cancellation it is no failure: it goes through all interceptors, and each adds what it did, so that the innermost
    comes first."""

    def __init__(self, call: ToolCall, round: Round | None = None) -> None:
        super().__init__(call.id)
        self.call = call
        self.round = round
        self.passes: list[Pass] = []
        self.marks: Mapping[str, str] = {}

    @property
    def trail(self) -> Trail:
        """What has to be kept with the question."""
        return Trail(tuple(reversed(self.passes)), dict(self.marks))


class Passage:
    """How far one call has come: `answer` is its result, or the replies with which it is made again, once there are
    any; it is taken once. Whoever calls again after that, as `retry` does, begins a way of its own."""

    def __init__(self, trail: Trail | None = None, answer: ToolResult | Round | None = None) -> None:
        self._trail = trail or Trail()
        self._passes = {each.name: each for each in self._trail.passes}
        self._answer = answer

    @property
    def marks(self) -> Mapping[str, str]:
        """What the result was marked with on the way in."""
        return self._trail.marks

    def before(self, name: str) -> Pass | None:
        """What this interceptor did on the way in; None when this is the way in, or it was not there then."""
        return self._passes.get(name) if self._answer is not None else None

    def take(self) -> ToolResult | None:
        """The result, if there is one that nobody has taken yet."""
        answer, self._answer = self._answer, None
        return answer if isinstance(answer, ToolResult) else None

    def take_round(self) -> Round | None:
        """The round with its replies, if there is one that nobody has taken yet."""
        answer, self._answer = self._answer, None
        return answer if isinstance(answer, Round) else None
