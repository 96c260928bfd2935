"""Kill switches: what is stopped, by whose word, until the switch is gone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from headgate.core.errors import Forbidden, RequestError, Unavailable
from headgate.core.glob import covers
from headgate.core.kind import Spec

Target = Annotated[str, Field(min_length=1, max_length=200, examples=["billing"])]
TARGETS = ("agent", "key", "team", "tool", "server", "gateway")


class KillSwitch(Spec):
    """Stops one thing, which is named by exactly one of the keys but `reason`."""

    agent: Target | None = None
    """An agent, or a glob: its runs end, and it takes no new ones."""
    key: Target | None = None
    """An API key by its name, or a glob: its runs end, and it begins no new ones."""
    team: Target | None = None
    """A team, or a glob: the same for all keys of it."""
    tool: Target | None = None
    """A tool, or a glob: runs that are calling it or that ask to end, and it is not called any more."""
    server: Target | None = None
    """A server of tools, or a glob: the same for all of its tools, whatever they are called."""
    gateway: bool = False
    """All of it: every run ends, and no new one is taken."""
    reason: Annotated[str, Field(min_length=1, max_length=500)]
    """Why: those who are stopped read it."""

    @property
    def target(self) -> tuple[str, str]:
        """What kind of thing is stopped, and which."""
        return next(self.targets, ("", ""))

    @property
    def targets(self) -> Iterator[tuple[str, str]]:
        """All that is named; a switch that is in order names one."""
        for kind in TARGETS[:-1]:
            name = getattr(self, kind)
            if name is not None:
                yield kind, name
        if self.gateway:
            yield "gateway", "*"

    def stops_tool(self, tool: str, server: str) -> bool:
        """Whether the tool, of that server or of none, may not be called."""
        if self.tool is not None:
            return covers(self.tool, tool)
        return self.server is not None and bool(server) and covers(self.server, server)

    def stops_run(self, key: str, team: str, agent: str) -> bool:
        """Whether there may be no run of the agent for the key."""
        held = ((self.key, key), (self.team, team), (self.agent, agent))
        return self.gateway or any(glob is not None and covers(glob, name) for glob, name in held)

    @property
    def said(self) -> str:
        """For those who are stopped."""
        kind, name = self.target
        return f"a kill switch stops {'the gateway' if kind == 'gateway' else f'{kind} {name!r}'}: {self.reason}"

    def refusal(self) -> RequestError:
        """The error of a new run."""
        if self.gateway:
            return Unavailable(self.said, code="killed")
        return Forbidden(self.said, code="killed")


@dataclass(frozen=True, slots=True)
class Switches:
    """All kill switches of a revision, by name."""

    held: Mapping[str, KillSwitch]

    def __or__(self, more: Iterable[KillSwitch]) -> Switches:
        return Switches({**self.held, **{f"\0{n}": each for n, each in enumerate(more)}})

    def of_run(self, key: str, team: str, agent: str) -> KillSwitch | None:
        """The first that stops such a run, or None."""
        return next((each for each in self.held.values() if each.stops_run(key, team, agent)), None)

    def of_tool(self, tool: str, server: str) -> KillSwitch | None:
        """The first that stops the tool of a server, or of none (`""`), or None."""
        return next((each for each in self.held.values() if each.stops_tool(tool, server)), None)
