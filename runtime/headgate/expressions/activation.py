"""What conditions are asked about: one tool call, converted once and shared by all of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Any, Final

from cel_expr_python import cel

from headgate.core.context import SessionInfo
from headgate.core.ports import ToolDefinition
from headgate.expressions.cel import new_activation
from headgate.expressions.clean import Cleaner
from headgate.expressions.values import NotJsonError, TooLargeError


class Absent(Enum):
    """The type of `ABSENT`."""

    ABSENT = "absent"


ABSENT: Final = Absent.ABSENT
"""Stands for the result before there is one; None is a result."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """All that conditions may ask about one tool call.

    `args` are the validated arguments. `turn` counts from 1, `depth` from 0 and `cost_usd` is what the run has cost so
    far. `tainted` says that the run has read what nobody vouches for.
    """

    tool: ToolDefinition
    args: Mapping[str, Any]
    agent: str
    session: SessionInfo
    now: datetime
    turn: int = 1
    cost_usd: float = 0.0
    depth: int = 0
    tainted: bool = False
    result: Any = ABSENT

    @property
    def names(self) -> dict[str, Any]:
        """The values by the names that conditions use; a missing server or channel is an empty text."""
        hints, session = self.tool.annotations, self.session
        return {
            "tool": {
                "name": self.tool.name,
                "server": self.tool.server or "",
                "kind": self.tool.kind,
                "read_only": hints.read_only,
                "destructive": hints.destructive,
                "idempotent": hints.idempotent,
                "open_world": hints.open_world,
                "tainted": self.tainted,
            },
            "agent": {"name": self.agent},
            "session": {
                "id": session.id,
                "team": session.team,
                "key": session.key,
                "channel": session.channel or "",
            },
            "run": {"turn": self.turn, "cost_usd": float(self.cost_usd), "depth": self.depth},
        }


@dataclass(frozen=True, slots=True)
class Extent:
    """How large a value is: bytes, about as JSON, and how many items or members it has."""

    size: float
    count: float = 0


@dataclass(frozen=True, slots=True)
class Activation:
    """The facts as the engine reads them.

    A name whose value cannot be converted is in `faults` with the reason and not in `values`: conditions that touch it
    fail, others do not notice. Safe to share between threads.
    """

    native: cel.Activation = field(repr=False)
    values: Mapping[str, Any] = field(repr=False)
    faults: Mapping[str, str] = field(default_factory=dict)
    _extents: dict[tuple[str | int, ...], Extent] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def of(cls, facts: Facts) -> Activation:
        """The activation of one call; never fails."""
        cleaner, values, faults = Cleaner(), {"now": facts.now.astimezone()}, dict[str, str]()
        given = {**facts.names, "args": facts.args}
        if facts.result is not ABSENT:
            given["result"] = facts.result
        schemas = {"args": facts.tool.input_schema}
        for name, value in given.items():
            left = cleaner.left
            try:
                values[name] = cleaner.whole(value, schemas.get(name))
            except (NotJsonError, TooLargeError) as error:
                faults[name] = f"{name} cannot be judged: {error}"
                cleaner.left = left
        return cls(new_activation(values), values, faults)

    def extent(self, steps: tuple[str | int, ...]) -> Extent:
        """How large the value at the end of a path is; nothing when the path leads nowhere."""
        if steps not in self._extents:
            self._extents[steps] = self._measure(steps)
        return self._extents[steps]

    def _measure(self, steps: tuple[str | int, ...]) -> Extent:
        value: Any = self.values
        for step in steps:
            try:
                value = value[step]
            except (LookupError, TypeError):
                return Extent(1)
        return Extent(_weight(value), len(value) if isinstance(value, list | dict) else 0)


def _weight(value: Any) -> int:
    if isinstance(value, str):
        return 2 + len(value) * (1 if value.isascii() else 4)
    if isinstance(value, dict):
        return 2 + sum(len(name) + 4 + _weight(each) for name, each in value.items())
    return 2 + sum(map(_weight, value)) if isinstance(value, list) else 8
