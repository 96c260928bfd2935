"""The messages that a model sees: what the client posted, joined with what the ledger knows of it.

Posted messages are authoritative. Where they repeat the stored conversation, run by run, the stored messages take
their place, so that tool calls, results and thinking of earlier turns are kept; where they diverge, the conversation
goes on from the last run that still agrees.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from headgate.core.messages import Message, Part, ToolCall, ToolOutcome, failed
from headgate.engine.taint import sources_of
from headgate.stores.records import Exchange


@dataclass(frozen=True, slots=True)
class Transcript:
    """`prior_run` is the run that the conversation goes on from, `posted` what is new since then. `tainted` are the
    sources that the session has read from, also where the conversation does not go on from it."""

    prior_run: str | None
    history: tuple[Message, ...]
    posted: tuple[Message, ...]
    tainted: frozenset[str] = frozenset()

    @property
    def messages(self) -> tuple[Message, ...]:
        """All that the model sees at the beginning of the run."""
        return tuple(answered([*self.history, *self.posted]))


def join(conversation: Sequence[Exchange], posted: Sequence[Message]) -> Transcript:
    """The transcript of a run that begins with `posted`."""
    history: list[Message] = []
    prior, at = None, 0
    for exchange in conversation:
        after = _matched(exchange, posted, at)
        if after is None or after >= len(posted):
            break
        history += [*exchange.posted, *exchange.produced]
        prior, at = exchange.run_id, after
    return Transcript(prior, tuple(history), tuple(posted[at:]), _tainted(conversation))


def go_on(conversation: Sequence[Exchange], posted: Sequence[Message]) -> Transcript:
    """The transcript of a run that begins with `posted`, after all that was said in the conversation."""
    history = [message for each in conversation for message in (*each.posted, *each.produced)]
    prior = conversation[-1].run_id if conversation else None
    return Transcript(prior, tuple(history), tuple(posted), _tainted(conversation))


def _tainted(conversation: Sequence[Exchange]) -> frozenset[str]:
    return frozenset(name for each in conversation for name in (*each.tainted, *sources_of(each.produced)))


def _matched(exchange: Exchange, posted: Sequence[Message], at: int) -> int | None:
    """Where the exchange ends among the posted messages, or None when they do not repeat it."""
    end = at + len(exchange.posted)
    window = posted[at:end]
    if len(window) < len(exchange.posted):
        return None
    if any(not _same(a, b) for a, b in zip(exchange.posted, window, strict=True)):
        return None
    said = list(itertools.takewhile(lambda each: each.role == "assistant", posted[end:]))
    return end + len(said) if _agree(exchange, "".join(_folded(each.text) for each in said)) else None


def _agree(exchange: Exchange, said: str) -> bool:
    """Whether a client that heard the exchange may post this as its answer.

    Of a run that was cut off a client may have heard only the beginning, or it may have dropped what it heard.
    """
    answer = _folded(exchange.answer)
    return said == answer or (exchange.state != "completed" and answer.startswith(said))


def _same(a: Message, b: Message) -> bool:
    return a.role == b.role and _folded(a.text) == _folded(b.text)


def _folded(text: str) -> str:
    """White space does not count: clients join streamed pieces in their own ways."""
    return "".join(text.split())


def answered(messages: Iterable[Message]) -> Iterator[Message]:
    """The messages, with every tool call answered: providers refuse a transcript in which one is left open.

    A call without a result is one whose run was cut off before the call was made or had ended.
    """
    open_calls: list[ToolCall] = []
    for message in messages:
        results = {part.call_id for part in message.parts if isinstance(part, ToolOutcome)}
        lost = [call for call in open_calls if call.id not in results]
        if lost:
            parts: tuple[Part, ...] = tuple(_lost(call) for call in lost)
            if message.role == "user":
                message = Message("user", parts + message.parts)
            else:
                yield Message("user", parts)
        yield message
        open_calls = list(message.calls) if message.role == "assistant" else []
    if open_calls:
        yield Message("user", tuple(_lost(call) for call in open_calls))


def _lost(call: ToolCall) -> ToolOutcome:
    result = failed("cancelled", "the run ended before this call had a result", status="cancelled")
    return ToolOutcome(call.id, call.name, result)
