"""The `script:` syntax: what a scripted model says, turn by turn; providers, tests and recorded runs share it."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, Field, TypeAdapter, WrapValidator, model_validator
from pydantic_core import PydanticCustomError
from pydantic_core.core_schema import ValidatorFunctionWrapHandler

from headgate.core.kind import Spec
from headgate.core.scalars import Duration, Interpolated
from headgate.providers.placeholders import check


def _phrase(value: Any, handler: ValidatorFunctionWrapHandler) -> Any:
    text = handler(value)
    # Pydantic makes a plain string of it, which would forget what came from a reference.
    return check(value if isinstance(value, Interpolated) else text)


Phrase = Annotated[str, WrapValidator(_phrase)]
"""Text with placeholders."""
Arguments = Annotated[dict[str, Any], AfterValidator(check)]
"""Arguments of a tool call, with placeholders in their strings."""


class Call(Spec):
    """One tool call of a turn."""

    call: str = Field(min_length=1)
    """The tool's name."""
    args: Arguments = {}
    """Its arguments."""


class When(Spec):
    """What must hold for a turn to be played; all that is given must."""

    user_contains: str | None = Field(default=None, min_length=1)
    """A part of the user's message, in any case; such a turn is not played as an answer to tool results."""
    result_contains: str | None = Field(default=None, min_length=1)
    """A part of the JSON of the latest tool results."""

    @model_validator(mode="after")
    def _not_empty(self) -> When:
        if self.user_contains is None and self.result_contains is None:
            raise PydanticCustomError("script_when", "user_contains or result_contains is needed")
        return self


class Turn(Spec):
    """One turn: what the model thinks, says and calls, or how it fails."""

    text: Phrase | None = None
    """What it says, streamed word by word."""
    thinking: Phrase | None = None
    """What it thinks before that."""
    call: str | None = Field(default=None, min_length=1)
    """The tool that it calls."""
    args: Arguments | None = None
    """The arguments of `call`."""
    calls: tuple[Call, ...] = ()
    """Several tools called at once."""
    error: int | None = Field(default=None, ge=400, le=599)
    """Fails as a provider that answers with this HTTP status; a retry goes on with the next turn that fits."""
    delay: Duration | None = None
    """A pause before every word, before calls or an error without words, or, alone, before the next turn."""
    when: When | None = None
    """When the turn may be played; without it, always."""

    @model_validator(mode="after")
    def _one_thing(self) -> Turn:
        problem = _problem(self)
        if problem is not None:
            raise PydanticCustomError("script_turn", "{problem}", {"problem": problem})
        return self

    @property
    def pause_only(self) -> bool:
        """Whether the turn is nothing but a pause."""
        return self.error is None and not self.speaks and not self.all_calls

    @property
    def speaks(self) -> bool:
        """Whether the turn has words."""
        return self.text is not None or self.thinking is not None

    @property
    def all_calls(self) -> tuple[Call, ...]:
        """The calls, whichever way they are written."""
        return self.calls if self.call is None else (Call(call=self.call, args=self.args or {}),)


def _problem(turn: Turn) -> str | None:
    if turn.call is None and turn.args is not None:
        return "args needs call"
    if turn.call is not None and turn.calls:
        return "call and calls exclude each other"
    if turn.error is not None and (turn.speaks or turn.all_calls):
        return "error stands alone, or with delay and when"
    if turn.pause_only and turn.delay is None:
        return "a turn needs text, thinking, call, calls, error or delay"
    return None


_SCRIPT = TypeAdapter(Annotated[tuple[Turn, ...], Field(min_length=1)])


def parse_script(data: Any) -> tuple[Turn, ...]:
    """The turns of a script; raises pydantic's `ValidationError`, whose locations are paths in `data`."""
    return _SCRIPT.validate_python(data)
