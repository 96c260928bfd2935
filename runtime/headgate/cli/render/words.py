"""The words for what happens in a run, in one line each; the same on a terminal, in a pipe and in a report."""

from __future__ import annotations

from typing import Any

import msgspec

from headgate.core.errors import ConfigError, GatewayError
from headgate.core.events import (
    AttemptStarted,
    Custom,
    PolicyDecided,
    RunCancelled,
    RunEnd,
    RunFailed,
    ToolCompleted,
    ToolStarted,
)
from headgate.core.messages import Usage

_ARGS, _RESULT, _OUTPUT = 160, 160, 400
_CONTROLS = dict.fromkeys([*(set(range(0x20)) - {0x09, 0x0A}), *range(0x7F, 0xA0)])
_FLAT = _CONTROLS | {0x09: " ", 0x0A: " "}


def visible(text: str) -> str:
    """The text without control characters but line ends and tabs: what a model or a tool says must not steer a
    terminal (ECMA-48 sequences begin with ESC or a C1 control)."""
    return text.translate(_CONTROLS)


def flat(text: str, limit: int) -> str:
    """The beginning of the text, in one line of at most `limit` characters."""
    line = " ".join(text[: limit * 2].translate(_FLAT).split())
    return line if len(line) <= limit else f"{line[: limit - 1]}…"


def call(started: ToolStarted) -> str:
    """A tool call as a function is written."""
    return f"{flat(started.name, 64)}({flat(_arguments(started.args), _ARGS)})"


def _arguments(args: dict[str, Any]) -> str:
    return ", ".join(f"{name}={_json(value)}" for name, value in args.items())


def result(completed: ToolCompleted) -> str:
    """What came of a call: the error or the beginning of the result, and how long it took."""
    failure = completed.result.error
    if failure is not None:
        told = f"{failure.code}: {failure.message}"
    else:
        payload = completed.result.payload
        told = payload if isinstance(payload, str) else _json(payload)
    return f"{flat(told, _RESULT)} ({_duration(completed.duration_ms)})"


def retry(event: AttemptStarted) -> str:
    """Why the turn is made again, and when."""
    when = f" in {event.delay:.1f} s" if event.delay else ""
    who = f" with {event.model}" if event.model else ""
    return f"retry {event.attempt}{who}{when}: {flat(f'{event.reason.code}: {event.reason.message}', _OUTPUT)}"


def custom(event: Custom) -> str:
    """Something that a tool told."""
    return f"{flat(event.kind, 64)} {flat(_json(event.data), _RESULT)}"


def decided(event: PolicyDecided) -> str:
    """What an interceptor did, or would have done."""
    what = f"{flat(event.name, 64)}: " if event.name else ""
    would = "" if event.mode == "enforce" else " (only a warning)"
    return f"{what}{flat(event.policy, 64)}{would}: {flat(event.message, _OUTPUT)}"


def failure(error: GatewayError, *, coded: bool = False) -> str:
    """A refusal: what is wrong, every place of it, and how to mend it."""
    wrong = error.details.get("errors")
    places = f": {'; '.join(map(str, wrong))}" if isinstance(wrong, list) else ""
    hint = f"; {error.hint}" if isinstance(error, ConfigError) and error.hint else ""
    return f"{f'{error.code}: ' if coded else ''}{error.message}{places}{hint}"


_SHARED = {"budget_turns": "turns", "budget_time": "seconds"}
"""Limits of budgets across runs alone, and the member that says how much was used."""


def ending(event: RunEnd) -> str:
    """Why a run ended other than by its answer, as `code: message`; nothing when it did not."""
    limit = event.limit
    if isinstance(event, RunFailed):
        return f"{event.error.code}: {flat(event.error.message, 2000)}"
    if isinstance(event, RunCancelled):
        return f"{event.outcome}: {flat(event.reason, 2000)}"
    if event.outcome == "budget" and limit.get("limit") == "budget_tokens":
        return f"budget: the answer took {limit['tokens']} tokens, the limit is {limit['budget']}"
    if event.outcome == "budget" and {"cost", "budget"} <= limit.keys():
        return f"budget: the answer cost ${limit['cost']:.4f}, the limit is ${limit['budget']:g}"
    if event.outcome == "budget" and limit.get("limit") in _SHARED:
        unit = _SHARED[limit["limit"]]
        return f"budget: {limit[unit]:g} {unit} were used, the limit is {limit['budget']:g}"
    if event.outcome == "max_turns" and "max_turns" in limit:
        return f"max_turns: the answer was not there after {_turns(limit['max_turns'])}"
    return "" if event.outcome == "success" else f"{event.outcome}: a limit ended the run {_json(limit)}"


def usage(event: RunEnd) -> str:
    """Tokens, cost and turns of a run; nothing where they are not known."""
    used = event.usage
    if used == Usage():
        return ""
    cached = f", {used.cache_read} of them cached" if used.cache_read else ""
    read = used.input + used.cache_write + used.cache_write_1h + used.cache_read
    return f"{read} tokens in{cached} · {used.output} out · ${event.cost:.4f} · {_turns(event.turns)}"


def _turns(count: int) -> str:
    return "1 turn" if count == 1 else f"{count} turns"


def _duration(milliseconds: int) -> str:
    return f"{milliseconds} ms" if milliseconds < 1000 else f"{milliseconds / 1000:.1f} s"


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode("utf-8")
