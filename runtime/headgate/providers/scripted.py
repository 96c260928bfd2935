"""The provider kind `scripted`: plays a script instead of asking a model.

It is the demo, the fake of the tests and the player of recorded runs. Nothing in it is random or remembered: the same
transcript gives the same turn.
"""

from __future__ import annotations

import asyncio
import contextlib
import difflib
import re
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import msgspec
from pydantic import Field, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from headgate.core.errors import ConfigError, ProviderError
from headgate.core.kind import Env, Finding, Kind, Scope
from headgate.core.messages import Message, Part, Text, Thinking, ToolCall, Usage
from headgate.core.ports import ModelEvent, ModelRequest, Provider, TextChunk, ThinkingChunk, TurnDone
from headgate.core.scalars import Duration
from headgate.manifest.parsers import parse
from headgate.providers.failures import from_status
from headgate.providers.placeholders import fill, fill_text
from headgate.providers.playback import Cue, cue
from headgate.providers.script import Call, Turn, parse_script
from headgate.providers.settings import ProviderSpec

DEFAULT_MODEL = "scripted"

_WORD = re.compile(r"\S+\s*|\s+")


class ScriptedSpec(ProviderSpec):
    """A script that answers in place of a model; exactly one of `script` and `turns` is needed."""

    kind: Literal["scripted"] = "scripted"
    script: str | None = Field(default=None, pattern=r"\.ya?ml$")
    """A YAML file of the tree with a list of turns."""
    turns: tuple[Turn, ...] | None = Field(default=None, min_length=1)
    """The turns themselves."""
    delay: Duration = 0.0
    """A pause before every word of turns that have no `delay` of their own."""
    demo: bool = False
    """Whether the gateway says aloud that its answers are scripted."""

    @model_validator(mode="after")
    def _one_source(self) -> ScriptedSpec:
        if (self.script is None) == (self.turns is None):
            raise PydanticCustomError("script_source", "exactly one of script and turns is needed")
        return self


class Scripted:
    """An opened provider of kind `scripted`."""

    def __init__(self, spec: ScriptedSpec, turns: tuple[Turn, ...]) -> None:
        self._spec = spec
        self._turns = turns
        self.default_model = spec.model or DEFAULT_MODEL
        self.demo = spec.demo

    async def stream(self, request: ModelRequest, /) -> AsyncGenerator[ModelEvent]:
        """Plays the next turn that fits; raises `script_exhausted` when there is none."""
        self._spec.require(request.model, self.default_model)
        found = cue(self._turns, request.messages, request.attempt)
        if found is None:
            raise ProviderError("the script has no turn left that fits", code="script_exhausted")
        played = _fill(found, request)
        delay = self._spec.delay if found.turn.delay is None else found.turn.delay
        await asyncio.sleep(found.pause if found.turn.speaks else found.pause + delay)
        if found.turn.error is not None:
            raise from_status(found.turn.error, "as the script says")
        for chunk in played.chunks:
            if delay:
                await asyncio.sleep(delay)
            yield chunk
        yield played.done(request)


@dataclass(frozen=True, slots=True)
class _Played:
    """A turn with its placeholders filled in."""

    thinking: str
    text: str
    calls: tuple[ToolCall, ...]

    @property
    def chunks(self) -> list[TextChunk | ThinkingChunk]:
        """The words, in the order in which they are streamed."""
        thoughts = [ThinkingChunk(word) for word in _WORD.findall(self.thinking)]
        return [*thoughts, *(TextChunk(word) for word in _WORD.findall(self.text))]

    def done(self, request: ModelRequest) -> TurnDone:
        """The whole turn; a token is a word, and costs nothing."""
        parts: list[Part] = [Thinking(self.thinking)] if self.thinking else []
        parts += [Text(self.text)] if self.text else []
        thought = _count(self.thinking)
        spoken = _count(self.text) + sum(_count(_json(call.args)) for call in self.calls)
        return TurnDone(
            message=Message("assistant", (*parts, *self.calls)),
            usage=Usage(input=_prompt(request), output=thought + spoken, reasoning=thought),
            stop="tools" if self.calls else "end",
            model=request.model,
            cost=0.0,
        )


def _fill(found: Cue, request: ModelRequest) -> _Played:
    turn, user, results = found.turn, found.scene.user, found.scene.results
    try:
        return _Played(
            thinking=fill_text(turn.thinking or "", user, results),
            text=fill_text(turn.text or "", user, results),
            calls=tuple(
                ToolCall(
                    f"call_{request.run or 'run'}_{request.turn}_{index}", each.call, fill(each.args, user, results)
                )
                for index, each in enumerate(turn.all_calls)
            ),
        )
    except LookupError as error:
        raise ProviderError(str(error), code="script_mismatch") from None


def _prompt(request: ModelRequest) -> int:
    words = _count(request.system)
    for message in request.messages:
        for part in message.parts:
            words += _count(part.text) if isinstance(part, Text | Thinking) else _count(_json(part))
    return words


def _count(text: str) -> int:
    return len(text.split())


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode("utf-8")


def _load(path: str, read: Callable[[str], bytes]) -> tuple[Turn, ...]:
    """The script in a file of the tree; raises `ConfigError` against the key `script`."""
    try:
        document, findings = parse(path, read(path))
    except OSError:
        raise ConfigError(f"{path} cannot be read", key=("script",), hint="name a YAML file of the tree") from None
    errors = [str(each) for each in findings if each.severity == "error"]
    if document is None or errors:
        raise ConfigError("; ".join(errors), key=("script",))
    try:
        return parse_script(document.body)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        span = document.value_span(tuple(first["loc"]))
        raise ConfigError(f"{path}:{span.line}:{span.column}: {first['msg']}", key=("script",)) from None


def check(spec: ScriptedSpec, scope: Scope) -> Iterator[Finding]:
    """Every finding in the script that the manifest names."""
    if spec.script is None or spec.script not in scope.bodies:
        return
    try:
        parse_script(scope.bodies[spec.script])
    except ValidationError as error:
        for each in error.errors(include_url=False):
            yield _finding(spec.script, each)


def _finding(path: str, each: Mapping[str, Any]) -> Finding:
    key, context = tuple(each["loc"]), each.get("ctx") or {}
    if each["type"] == "extra_forbidden":
        guess = difflib.get_close_matches(str(key[-1]), [*Turn.model_fields, *Call.model_fields], n=1)
        hint = f"did you mean {guess[0]!r}?" if guess else f"known keys: {', '.join(sorted(Turn.model_fields))}"
        return Finding(key, "HG1003", f"unknown key {str(key[-1])!r}", hint, file=path)
    name = repr(str(key[-1])) if key and isinstance(key[-1], str) else "the turn" if key else "the script"
    message = f"{name}: {each['msg'][:1].lower()}{each['msg'][1:]}"
    return Finding(key, "HG1004", message, "", context.get("offset"), file=path)


@contextlib.asynccontextmanager
async def open_scripted(spec: ScriptedSpec, env: Env) -> AsyncIterator[Scripted]:
    """Opens the provider: reads the script."""
    yield Scripted(spec, spec.turns if spec.turns is not None else _load(spec.script or "", env.read))


KIND: Kind[ScriptedSpec, Provider] = Kind(
    name="scripted",
    summary="A script that answers in place of a model: for demos, tests and recorded runs.",
    spec=ScriptedSpec,
    open=open_scripted,
    check=check,
    files=lambda spec: () if spec.script is None else (spec.script,),
)
