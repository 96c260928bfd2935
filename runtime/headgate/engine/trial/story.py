"""What a run did, as an inline test sees it, and whether that is what was expected."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from headgate.compile.trials import Expected, ExpectedCall
from headgate.core.errors import RequestError
from headgate.core.events import Event, MessageCompleted, RunEnd, RunFailed, ToolCompleted, ToolStarted
from headgate.core.glob import matching
from headgate.core.kind import Key
from headgate.core.messages import ErrorInfo
from headgate.engine.trial.compare import differ, judge
from headgate.engine.trial.verdict import Failure, cut, shown

_EXPECT = "expect"


@dataclass(frozen=True, slots=True)
class Made:
    """One call that the model made; `error` is why it failed, `refused` whether it did not reach its tool."""

    name: str
    args: dict[str, Any]
    error: ErrorInfo | None
    refused: bool

    @property
    def told(self) -> str:
        """The call and, if it was refused, why."""
        return f"{self.name} ({self.error.code})" if self.refused and self.error else self.name


@dataclass(frozen=True, slots=True)
class Story:
    """All that a test may ask of a run; `error` is what ended it or kept it from beginning."""

    outcome: str
    error: ErrorInfo | None
    turns: int = 0
    calls: tuple[Made, ...] = ()
    texts: tuple[str, ...] = ()
    prompt: str = ""

    @classmethod
    def refused(cls, error: RequestError) -> Story:
        """Of a request that was answered with an error instead of a run."""
        wrong = "; ".join(map(str, error.details.get("errors", ())))
        return cls("refused", ErrorInfo(error.code, f"{error.message}: {wrong}" if wrong else error.message))

    @classmethod
    def of(cls, events: Sequence[Event], prompts: Sequence[str], reached: Collection[str]) -> Story:
        """Of a run that has ended, whose calls with these ids came as far as their tool."""
        end = next(each for each in reversed(events) if isinstance(each, RunEnd))
        results = {each.call_id: each.result for each in events if isinstance(each, ToolCompleted)}
        started = [each for each in events if isinstance(each, ToolStarted)]
        return cls(
            outcome=end.outcome,
            error=end.error if isinstance(end, RunFailed) else None,
            turns=end.turns,
            calls=tuple(_made(each, results[each.call_id].error, reached) for each in started),
            texts=tuple(each.text for each in events if isinstance(each, MessageCompleted)),
            prompt=prompts[0] if prompts else "",
        )

    def judged(self, expected: Expected) -> list[Failure]:
        """Every expectation that the run does not meet; keys are relative to the test."""
        return [each for rule in _RULES for each in rule(self, expected)]


def _made(event: ToolStarted, error: ErrorInfo | None, reached: Collection[str]) -> Made:
    return Made(event.name, event.args, error, error is not None and event.call_id not in reached)


def _end(story: Story, expected: Expected) -> Iterator[Failure]:
    code = story.error.code if story.error else None
    if expected.error_code is not None and expected.error_code != code:
        yield Failure((_EXPECT, "error_code"), "the error", expected.error_code, _why(story))
    wanted = expected.outcome
    if wanted is not None and wanted != story.outcome:
        yield Failure((_EXPECT, "outcome"), "the outcome", wanted, _why(story))
    elif wanted is None and expected.error_code is None and story.outcome != "success":
        yield Failure((), "the outcome", "success", _why(story))


def _why(story: Story) -> str:
    return f"{story.error.code} ({cut(story.error.message)})" if story.error else story.outcome


def _turns(story: Story, expected: Expected) -> Iterator[Failure]:
    if expected.turns is not None and expected.turns != story.turns:
        yield Failure((_EXPECT, "turns"), "the number of turns", str(expected.turns), str(story.turns))


def _calls(story: Story, expected: Expected) -> Iterator[Failure]:
    """The calls in order; one that was refused counts only where its error, or that it is no call, is expected."""
    forbidden = set(matching(expected.no_calls, [each.name for each in story.calls]))
    for name in dict.fromkeys(each.name for each in story.calls if each.name in forbidden and not each.refused):
        yield Failure((_EXPECT, "no_calls"), f"{name} was called", f"no call of {name}", _names(story.calls))
    made = [each for each in story.calls if not (each.refused and each.name in forbidden)]
    if expected.calls is None:
        for each in made:
            if each.refused and each.error:
                yield Failure((), f"the call of {each.name} was refused: {each.error.code}: {cut(each.error.message)}")
        return
    wanted = [ExpectedCall(name=each) if isinstance(each, str) else each for each in expected.calls]
    yield from _sequence(wanted, made)


def _sequence(wanted: Sequence[ExpectedCall], made: Sequence[Made]) -> Iterator[Failure]:
    key: Key = (_EXPECT, "calls")
    if [each.name for each in wanted] != [each.name for each in made]:
        yield Failure(key, "the calls", _listed(each.name for each in wanted), _names(made))
        return
    for index, (call, each) in enumerate(zip(wanted, made, strict=True)):
        code = each.error.code if each.error else "no error"
        if call.error is not None and call.error != code:
            yield Failure((*key, index, "error"), f"the error of {call.name}", call.error, code)
        elif call.error is None and each.refused and each.error:
            message = f"{each.error.code}: {cut(each.error.message)}"
            yield Failure((*key, index), f"the call of {call.name} was refused: {message}")
        if call.args is not None:
            found = judge(f"the arguments of {call.name}", call.args, each.args, (*key, index, "args"))
            yield from [found] if found else []


def _names(calls: Iterable[Made]) -> str:
    return _listed(each.told for each in calls)


def _listed(names: Iterable[str]) -> str:
    return cut(f"[{', '.join(names)}]")


def _texts(story: Story, expected: Expected) -> Iterator[Failure]:
    said = "\n".join(filter(None, story.texts))
    yield from _contains("text_contains", "the text", expected.text_contains, said)
    yield from _contains("prompt_contains", "the prompt", expected.prompt_contains, story.prompt)
    last = story.texts[-1] if story.texts else ""
    if expected.text_equals is not None and differ(expected.text_equals, last):
        yield Failure((_EXPECT, "text_equals"), "the last text", shown(expected.text_equals), shown(last))


def _contains(name: str, what: str, wanted: str | tuple[str, ...], text: str) -> Iterator[Failure]:
    single = isinstance(wanted, str)
    for index, each in enumerate([wanted] if isinstance(wanted, str) else wanted):
        if each not in text:
            key: Key = (_EXPECT, name) if single else (_EXPECT, name, index)
            yield Failure(key, what, f"{shown(each)} in it", shown(text))


_RULES = (_end, _calls, _turns, _texts)
