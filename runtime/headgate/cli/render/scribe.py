"""Shows the events of a run on a screen, each type in its way; a new type of event is one more line of the table."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from headgate.cli.render import questions, words
from headgate.cli.render.screen import Screen
from headgate.core.events import (
    ApprovalRequested,
    ApprovalResolved,
    AttemptStarted,
    Custom,
    Event,
    InputRequested,
    InputResolved,
    MessageCompleted,
    PolicyDecided,
    RunCancelled,
    RunCompleted,
    RunEnd,
    RunFailed,
    RunResumed,
    RunStarted,
    RunWaiting,
    TextDelta,
    ThinkingDelta,
    ToolCompleted,
    ToolOutput,
    ToolStarted,
)

_WAITING = "waiting for the model"
_LINES = 20


class Scribe:
    """Tells one conversation to one screen."""

    def __init__(self, screen: Screen, *, thinking: bool = False, clock: Callable[[], float] = time.time) -> None:
        self.screen = screen
        self._clock = clock
        self._thinking = thinking
        self._thought = False
        self._calls: dict[str, ToolStarted] = {}

    def tell(self, event: Event) -> None:
        """Shows one event; a type that is not in the table shows nothing."""
        teller = TELLERS.get(type(event))
        if teller is not None:
            teller(self, event)

    def begin(self, _event: RunStarted) -> None:
        """The run has begun."""
        self._calls.clear()
        self._thought = False
        self.screen.busy(_WAITING)

    def say(self, event: TextDelta) -> None:
        """A piece of the answer; thinking before it ends its line."""
        if self._thought:
            self._thought = False
            self.screen.settle()
        self.screen.say(event.text)

    def think(self, event: ThinkingDelta) -> None:
        """A piece of thinking, for those who want it."""
        if self._thinking:
            self._thought = True
            self.screen.think(event.text)

    def retry(self, event: AttemptStarted) -> None:
        """The turn is made again."""
        self._thought = False
        self.screen.void()
        self.screen.line(f"↻ {words.retry(event)}", "yellow")
        self.screen.busy(_WAITING)

    def settle(self, _event: MessageCompleted) -> None:
        """The turn is whole."""
        self._thought = False
        self.screen.settle()

    def start(self, event: ToolStarted) -> None:
        """A call is running; it gets its line when it has its result."""
        self.screen.settle()
        self._calls[event.call_id] = event
        self._wait()

    def output(self, event: ToolOutput) -> None:
        """What a running tool prints."""
        for line in event.text.splitlines()[:_LINES]:
            self.screen.line(f"  {words.flat(event.name, 64)} | {line}", "dim")

    def result(self, event: ToolCompleted) -> None:
        """A call with its arguments, its result and its duration."""
        started = self._calls.pop(event.call_id, None)
        begun = words.call(started) if started is not None else f"{event.name}()"
        failed = event.result.error is not None
        self.screen.line(f"{'✗' if failed else '●'} {begun} → {words.result(event)}", "red" if failed else "cyan")
        self._wait()

    def approval(self, event: ApprovalRequested) -> None:
        """A call waits for an approval; whoever can give it is asked elsewhere."""
        self._question(questions.approval(event, self._clock()))

    def resolved(self, event: ApprovalResolved) -> None:
        """An approval was given or refused, or its time is over."""
        self.screen.settle()
        self.screen.line(questions.resolved(event), "dim")
        self._wait()

    def input(self, event: InputRequested) -> None:
        """A call waits for a front end, for somebody who knows what became of it, or for what its server asks."""
        if event.kind == "client_tool":
            self.screen.settle()
            self.screen.line(questions.declined(event), "yellow", whole=True)
        elif event.kind == "input":
            self._question(questions.asked(event, self._clock()))
        else:
            self._question(questions.unknown(event, self._clock()))

    def settled(self, event: InputResolved) -> None:
        """A server was told what a person said, or its question is void."""
        self.screen.settle()
        self.screen.line(questions.settled(event), "dim")
        self._wait()

    def _question(self, lines: list[str]) -> None:
        self.screen.settle()
        for line in lines:
            self.screen.line(line, "bold yellow" if line is lines[0] else "", whole=True)

    def park(self, _event: RunWaiting) -> None:
        """Nothing goes on until somebody answers."""
        self.screen.busy("waiting for an answer")

    def resume(self, event: RunResumed) -> None:
        """The run goes on."""
        if event.reason == "recovered":
            self.screen.line("↻ the run goes on from its last step", "yellow")
        self._wait()

    def decided(self, event: PolicyDecided) -> None:
        """What an interceptor found."""
        self.screen.line(f"⚑ {words.decided(event)}", "yellow")

    def custom(self, event: Custom) -> None:
        """What a tool told."""
        self.screen.line(f"  {words.custom(event)}", "dim")

    def end(self, event: RunEnd) -> None:
        """How the run ended, when it did not by its answer, and what it took."""
        self.screen.settle()
        why, used = words.ending(event), words.usage(event)
        if why:
            self.screen.line(why, "bold red" if isinstance(event, RunFailed) else "yellow", whole=True)
        if used:
            self.screen.line(used, "dim")

    def _wait(self) -> None:
        names = ", ".join(each.name for each in self._calls.values())
        self.screen.busy(names or _WAITING)


TELLERS: Mapping[type[Event], Callable[[Scribe, Any], None]] = {
    RunStarted: Scribe.begin,
    TextDelta: Scribe.say,
    ThinkingDelta: Scribe.think,
    AttemptStarted: Scribe.retry,
    MessageCompleted: Scribe.settle,
    ToolStarted: Scribe.start,
    ToolOutput: Scribe.output,
    ToolCompleted: Scribe.result,
    ApprovalRequested: Scribe.approval,
    ApprovalResolved: Scribe.resolved,
    InputRequested: Scribe.input,
    InputResolved: Scribe.settled,
    RunWaiting: Scribe.park,
    RunResumed: Scribe.resume,
    PolicyDecided: Scribe.decided,
    Custom: Scribe.custom,
    RunCompleted: Scribe.end,
    RunFailed: Scribe.end,
    RunCancelled: Scribe.end,
}
"""How each type of event is shown."""
