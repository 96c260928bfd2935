"""The inline tests of agents: what is said and mocked, what the model answers, and what must come of it."""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from headgate.core.events import Outcome
from headgate.core.kind import Spec
from headgate.core.scalars import Patience
from headgate.providers.script import Turn
from headgate.tools.trials import TIMEOUT, Table

Phrase = Annotated[str, Field(min_length=1)]
Phrases = Phrase | tuple[Phrase, ...]


class Given(Spec):
    """The request that begins the run."""

    user: Phrase
    """What the user says."""
    input: Table = {}
    """The request's `context.input`."""
    channel: str | None = None
    """The request's `context.channel`."""
    profile: str | None = None
    """The request's `context.profile`."""


class ExpectedCall(Spec):
    """One tool call, closer than by its name."""

    name: Phrase
    """The tool's name."""
    args: Table | None = None
    """Its arguments, all of them."""
    error: Phrase | None = None
    """The code that the call must fail with."""


class Expected(Spec):
    """What must come of the run; what is not stated is not looked at, but that the run succeeds and no call is
    refused."""

    calls: tuple[Phrase | ExpectedCall, ...] | None = None
    """The calls of tools, all of them, in order: names, or tables with `name`, `args` and `error`."""
    no_calls: tuple[Phrase, ...] = ()
    """Names or globs of tools that must not be reached, whatever the script calls; `*` for all."""
    text_contains: Phrases = ()
    """What must be among all that the run said; one text or several."""
    text_equals: str | None = None
    """What the last turn said, all of it."""
    prompt_contains: Phrases = ()
    """What must be in the rendered prompt; one text or several."""
    turns: Annotated[int, Field(ge=0)] | None = None
    """How many turns the model made."""
    outcome: Outcome | None = None
    """How the run ended; `success` if neither this nor `error_code` is stated."""
    error_code: Phrase | None = None
    """The code of the error that ended the run or kept it from beginning."""


class AgentTest(Spec):
    """One run of the agent on a script."""

    name: Phrase
    """What the test shows."""
    given: Given
    """The request that begins the run."""
    mocks: Table = {}
    """Results by tool: a value, `{error: {code, message}}`, or `{results: [...]}` for one call after the other."""
    # Not min_length: Pydantic would count only the turns that are in order, and blame the list for the others.
    script: Annotated[tuple[Turn, ...], Field(json_schema_extra={"minItems": 1})]
    """What the model says, turn by turn; no provider is asked."""
    expect: Expected = Expected()
    """What must come of the run."""
    timeout: Patience = TIMEOUT
    """How long the test may take."""

    @model_validator(mode="after")
    def _sound_mocks(self) -> Self:
        for tool, mock in self.mocks.items():
            problem = _problem(mock)
            if problem:
                raise PydanticCustomError("mock", "the mock of {tool}: {problem}", {"tool": tool, "problem": problem})
        return self


def _problem(mock: Any) -> str | None:
    if is_sequence(mock):
        if not mock["results"]:
            return "'results' is empty"
        return next((problem for each in mock["results"] if (problem := _problem_of_one(each))), None)
    return _problem_of_one(mock)


def _problem_of_one(mock: Any) -> str | None:
    if not is_failure(mock):
        return None
    error = mock["error"]
    known = error.keys() <= {"code", "message", "retryable"} and isinstance(error.get("code"), str)
    return None if known and isinstance(error.get("message", ""), str) else "an error has 'code' and 'message'"


def is_sequence(mock: Any) -> bool:
    """Whether a mock is `{results: [...]}`, one result a call."""
    return isinstance(mock, dict) and mock.keys() == {"results"} and isinstance(mock["results"], list)


def is_failure(mock: Any) -> bool:
    """Whether a mocked result is `{error: {code, message}}`."""
    return isinstance(mock, dict) and mock.keys() == {"error"} and isinstance(mock["error"], dict)
