"""One tool call, from the model's words to a result: the only door to a tool.

Known? arguments readable and valid? still allowed by the live revision? allowed by the policies, or by a person? Then
the folded call, under its timeout; the result is cleaned before anybody sees it. A call has a result, whatever happens,
and the model reads why it failed; or it waits for somebody, and passes here again when that has answered.
"""

from __future__ import annotations

import asyncio
import re
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import structlog
from msgspec.structs import replace

from headgate.compile.fold import bind
from headgate.compile.plan import AgentPlan, BoundTool
from headgate.compile.rulings import Case
from headgate.core.context import Action, Mode, RunContext, SessionInfo, ToolContext
from headgate.core.errors import GatewayError
from headgate.core.events import Custom, Event, PolicyDecided, ToolOutput
from headgate.core.messages import ErrorInfo, ToolCall, ToolResult, failed
from headgate.core.passage import Deferred, Passage
from headgate.core.ports import ToolDefinition
from headgate.engine import read_result
from headgate.engine.decisions import Decisions
from headgate.engine.edits import edited
from headgate.engine.hygiene import clean, cut, payload, wash
from headgate.engine.inputs import Inputs
from headgate.engine.questions import Questions, unknown
from headgate.engine.recorder import Recorder
from headgate.engine.remarks import remarked
from headgate.engine.spill import Spill
from headgate.engine.taint import Taint
from headgate.engine.turn import CallState
from headgate.manifest.diagnostics import suggest
from headgate.stores.waits import WaitRecord

log = structlog.get_logger("headgate.dispatch")

RESERVED = frozenset(
    {
        "error", "stream_complete", "stream_error", "stream_retry", "text_delta", "thinking_delta", "heartbeat",
        "tool_call_start", "tool_call_complete", "tool_output_chunk", "tool_approval_request", "tool_execute_request",
        "interceptor_decision", "max_turns_reached", "budget_exceeded", "compaction",
    }
)  # fmt: skip
"""Names that mean something to clients already: no tool may speak in the gateway's voice."""
_KIND = re.compile(r"[a-z][a-z0-9_.]{0,63}")
_CHUNKS = 500
_CHUNK_BYTES = 4096


@dataclass(frozen=True, slots=True)
class Dispatch:
    """The door to the tools of one run. `withdrawn(tool)` says why the live revision no longer allows a tool; of a
    result that is larger than `output_limit` bytes, `spill` keeps the whole. `decisions` counts what
    interceptors decide, `calling` the calls that are being made."""

    plan: AgentPlan
    session: SessionInfo
    recorder: Recorder
    questions: Questions
    inputs: Inputs
    scrub: Callable[[str], str]
    withdrawn: Callable[[str], str | None]
    output_limit: int
    spill: Spill
    decisions: Decisions = field(default_factory=Decisions)
    calling: Counter[str] = field(default_factory=Counter)

    @property
    def taint(self) -> Taint:
        """What the run's transcript says of it; policies and interceptors are told the same."""
        return self.questions.taint

    @property
    def definitions(self) -> tuple[ToolDefinition, ...]:
        """What the model is told in its next turn about what it may call."""
        return self.plan.definitions + ((read_result.DEFINITION,) if self.spill.kept else ())

    @property
    def tools(self) -> Mapping[str, BoundTool]:
        """What may be called now."""
        if not self.spill.kept:
            return self.plan.tools
        return {**self.plan.tools, read_result.NAME: bind(read_result.ReadResult(self.spill, self.output_limit))}

    async def call(self, call: ToolCall, state: CallState, *, cut: bool) -> ToolResult | WaitRecord:
        """The cleaned result of one call, or what it waits for; raises on cancellation, and `StoreError`."""
        tool, call = self.tools.get(call.name), edited(call, state)
        refused = self._refused(call, tool, cut=cut)
        if refused is not None or tool is None:
            if state.begun is not None:  # it was made once: it is not refused any more, and nobody can be asked
                refused = unknown(call)
            return clean(refused or failed("unknown_tool", "no such tool"), self.scrub, self.output_limit)
        within = self.within(state.step, call)
        attempt = _Attempt(call, tool, state, within, Case(tool.definition, call.args or {}, within))
        result = await self._asked(attempt) or await self._made(attempt)
        if isinstance(result, WaitRecord):
            return result
        return await self._fitted(call, wash(remarked(result, state), self.scrub, self.output_limit))

    async def _asked(self, attempt: _Attempt) -> ToolResult | WaitRecord | None:
        """What others say to the call before it is made; None: it may be."""
        call, state, case = attempt.call, attempt.state, attempt.case
        if state.begun is None:
            return await self.questions.permission(call, state, case, attempt.within)
        return await self.questions.outcome(call, state, case)  # it was allowed before it was begun

    async def _fitted(self, call: ToolCall, result: ToolResult) -> ToolResult:
        """The result within the limit; what was read back from the spill is not kept there again."""
        data, own = payload(result), call.name == read_result.NAME
        if len(data) <= self.output_limit + (read_result.NOTE if own else 0):
            return result
        kept = not own and await self.spill.keep(call.id, data)
        return cut(result, data, self.output_limit, call.id if kept else None)

    def _refused(self, call: ToolCall, tool: BoundTool | None, *, cut: bool) -> ToolResult | None:
        if tool is None:
            if call.name == read_result.NAME:
                return failed("unknown_tool", "nothing is kept: results are kept until their run ends; make them again")
            guess = suggest(call.name, self.plan.tools)
            hint = f"did you mean {guess}?" if guess else f"available: {', '.join(self.plan.tools) or 'none'}"
            return failed("unknown_tool", f"there is no tool {call.name!r}; {hint}")
        if cut:
            return failed("turn_cut_off", "your turn was cut off, so this call was not run; make it again, shorter")
        if call.args is None:
            return failed("invalid_json", "the arguments are not a JSON object, so the tool was not run; call it again")
        wrong = tool.violations(call.args)
        if wrong:
            return failed("invalid_arguments", "; ".join(wrong))
        reason = self.withdrawn(call.name)
        return failed("withdrawn", reason, status="denied") if reason else None

    async def _made(self, attempt: _Attempt) -> ToolResult | WaitRecord:
        """The result with what interceptors marked it with; a failed one is marked too. What the caller's front end
        executes passes them twice, and waits in between; and so does what its server interrupts."""
        call, tool, state = attempt.call, attempt.tool, attempt.state
        passage = await self.inputs.passage(call, state) or self.questions.passage(call, tool, state)
        if isinstance(passage, WaitRecord):
            return passage
        marks = tool.definition.annotations
        # That a front end is asked is kept with the question.
        if tool.receive is None and not (marks.read_only or marks.idempotent):
            await self.questions.intend(call, state)
        voice = _Voice(self.recorder, call, state.step, self.scrub)
        voice.marks.update(passage.marks)
        self.calling[call.name] += 1
        try:
            result = await self._run(attempt, passage, voice)
        except Deferred as deferred:
            deferred.marks = voice.marks
            if deferred.round is not None:
                return await self.inputs.interrupted(call, deferred, state)
            return await self.questions.front_end(deferred, tool, state)
        finally:
            self.calling[call.name] -= 1
        return replace(result, meta={**result.meta, **voice.marks}) if voice.marks else result

    async def _run(self, attempt: _Attempt, passage: Passage, voice: _Voice) -> ToolResult:
        """Supervised boundary: a tool's unexpected failure becomes a result, and its traceback goes to the log."""
        tool, call = attempt.tool, attempt.call
        deadline = asyncio.get_running_loop().time() + tool.timeout
        clock = asyncio.timeout_at(deadline)
        try:
            async with clock:
                with self.inputs.stillness.counted(clock, tool.definition.server):
                    return await tool.call(call, self._context(attempt, deadline, passage, voice))
        except TimeoutError:
            if not clock.expired():
                return failed("tool_error", f"{call.name} failed with TimeoutError")
            return failed("tool_timeout", f"{call.name} did not answer within {tool.timeout:g} s", retryable=True)
        except GatewayError as error:
            info = ErrorInfo(error.code, error.message, error.retryable, error.details)
            return ToolResult(status="error", error=info)
        except Exception:
            log.exception("tool.crashed", tool=call.name, run=self.recorder.run_id)
            return failed("internal_error", f"{call.name} failed inside; the gateway's log has the details")
        finally:
            voice.closed = True
            await self.inputs.over(tool.definition.server)

    def within(self, step: int, call: ToolCall | None = None) -> RunContext:
        """What interceptors may know of a model turn, or of a call."""
        tally, verdicts = self.recorder.tally, _Verdicts(self.recorder, self.decisions, step, call)
        return RunContext(
            run=self.recorder.run_id, step=step, agent=self.plan.name, session=self.session,
            turn=tally.turns + (call is None), cost=tally.cost, tainted=bool(self.taint), decide=verdicts,
            spend=partial(tally.spend, step=step), note=verdicts.note,
        )  # fmt: skip

    def _context(self, attempt: _Attempt, deadline: float, passage: Passage, voice: _Voice) -> ToolContext:
        state = attempt.state
        return ToolContext(
            run=self.recorder.run_id,
            step=state.step,
            call_id=attempt.call.id,
            agent=self.plan.name,
            session=self.session,
            deadline=deadline,
            emit=voice.emit,
            output=voice.output,
            idempotency_key=f"{self.recorder.run_id}:{state.step}",
            attempt=state.attempt,
            within=attempt.within,
            tool=attempt.tool.definition,
            mark=voice.marks.__setitem__,
            permit=partial(self.questions.changed, state=state, before=attempt.case, approved=attempt.call),
            passage=passage,
            case=attempt.case,
            ask=partial(self.inputs.ask, attempt.call, state) if attempt.tool.definition.server else None,
        )


@dataclass(frozen=True, slots=True)
class _Attempt:
    """One call on its way to its tool; `case` is how policies and interceptors see it."""

    call: ToolCall
    tool: BoundTool
    state: CallState
    within: RunContext
    case: Case


@dataclass(frozen=True, slots=True)
class _Verdicts:
    """Counts what interceptors decide, has the audit log tell it, and tells it; what is only counted is told to nobody
    who follows the run."""

    recorder: Recorder
    decisions: Decisions
    step: int
    call: ToolCall | None

    def __call__(self, policy: str, action: Action, code: str, message: str, /, *, mode: Mode) -> None:
        self.decisions.count(policy, action, mode)
        recorder = self.recorder
        recorder.note(recorder.witness.judged(self.call, policy, action, code, mode, recorder.now()))
        if mode != "audit":
            call_id, name = (self.call.id, self.call.name) if self.call else ("", "")
            event = PolicyDecided(
                policy=policy, action=action, code=code, message=message, mode=mode, call_id=call_id, name=name
            )
            recorder.emit(event, self.step)

    def note(self, kind: str, policy: str, outcome: str, details: dict[str, Any], /) -> None:
        """See `core.context.Note`."""
        recorder = self.recorder
        told = {"step": self.step, **details}
        recorder.note(recorder.witness.seen(self.call, kind, recorder.now(), policy, outcome, told))


class _Voice:
    """How a running tool speaks; its methods may be called from any thread, and nobody hears them after the call."""

    def __init__(self, recorder: Recorder, call: ToolCall, step: int, scrub: Callable[[str], str]) -> None:
        self._recorder, self._call, self._step, self._scrub = recorder, call, step, scrub
        self._loop, self._thread = asyncio.get_running_loop(), threading.get_ident()
        self._told = self._seq = 0
        self.marks: dict[str, str] = {}
        self.closed = False

    def emit(self, kind: str, /, **data: Any) -> None:
        if kind in RESERVED or not _KIND.fullmatch(kind):
            raise ValueError(f"{kind!r} is not a free event name: lower-case letters, digits, '_' and '.'")
        cleaned = clean(ToolResult(structured=data), self._scrub, _CHUNK_BYTES * 16)
        if not isinstance(cleaned.structured, dict):
            raise ValueError("the event's data is not JSON, or too large")
        if self._told < _CHUNKS:
            self._told += 1
            self._tell(Custom(call_id=self._call.id, name=self._call.name, kind=kind, data=cleaned.structured))

    def output(self, stream: str, text: str, /) -> None:
        if self._seq >= _CHUNKS:
            return
        self._seq += 1
        kept = self._scrub(text).encode("utf-8", "replace")[:_CHUNK_BYTES].decode("utf-8", "ignore")
        self._tell(ToolOutput(call_id=self._call.id, name=self._call.name, stream=stream, text=kept, seq=self._seq))

    def _tell(self, event: Event) -> None:
        if threading.get_ident() == self._thread:
            self._deliver(event)
        else:
            self._loop.call_soon_threadsafe(self._deliver, event)

    def _deliver(self, event: Event) -> None:
        if not self.closed:
            self._recorder.emit(event, self._step)
