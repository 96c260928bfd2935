"""What the mock provider is to answer: a plan travels as the text of the user's message."""

from __future__ import annotations

import re
from dataclasses import dataclass

_PLAN = re.compile(rb"plan:(\d+),(\d+),([a-z]+)\*(\d+)")


@dataclass(frozen=True, slots=True)
class Plan:
    """`deltas` text deltas, `rate` a second in each stream (0: as fast as they can be written).

    With `calls` the first turn is so many calls of `tool`, and the deltas come in the turn after it.
    """

    deltas: int = 1
    rate: int = 0
    tool: str = "none"
    calls: int = 0

    def __str__(self) -> str:
        """The message."""
        return f"plan:{self.deltas},{self.rate},{self.tool}*{self.calls}"


def find_plan(body: bytes) -> Plan:
    """The newest plan in a request."""
    found = _PLAN.findall(body)
    if not found:
        return Plan()
    deltas, rate, tool, calls = found[-1]
    return Plan(int(deltas), int(rate), tool.decode(), int(calls))


ONE = Plan()
LONG = Plan(deltas=500)
ECHO = Plan(tool="echo", calls=1)
MANY = 16
ECHOES = Plan(tool="echo", calls=MANY)
EIGHT = Plan(tool="wait", calls=8)
