"""Who asks, and within what: passed as arguments, never looked up."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from headgate.core.errors import Forbidden
from headgate.core.glob import ALL, covers
from headgate.core.inputs import Ask
from headgate.core.messages import ToolCall
from headgate.core.passage import Passage
from headgate.core.turns import Broken, ToolDefinition, TurnDone

VOUCHED = "oidc:"
"""How the names of those begin for whom an identity provider vouches."""


@dataclass(frozen=True, slots=True)
class Principal:
    """The caller: a key of `[auth.keys]`, its team, and what it may see and do.

    `digest` is the SHA-256 of the key, in hexadecimal. `agents` and `tools` are globs, `scopes` have the grammar
    `area[:action[:object]]` with `*`. `expires` is in epoch seconds.
    """

    key: str
    team: str
    digest: str
    scopes: frozenset[str]
    agents: tuple[str, ...] = ALL
    tools: tuple[str, ...] = ALL
    profile: str | None = None
    expires: float | None = None

    @property
    def account(self) -> str:
        """Who the principal is for servers that are reached with accounts of people: the name of the key, which stays
        when its secret is another one. A name that an identity provider vouches for counts with that provider alone."""
        return f"{self.key} {self.digest[:16]}" if self.key.startswith(VOUCHED) else self.key

    def allows(self, scope: str) -> bool:
        """Whether one of the principal's scopes covers `scope`; a shorter scope covers all below it."""
        return scope in self.scopes or any(_covers(held.split(":"), scope.split(":")) for held in self.scopes)

    def require(self, *scopes: str) -> None:
        """Raises `Forbidden` unless one of the scopes is covered."""
        if not any(self.allows(scope) for scope in scopes):
            raise Forbidden(f"key {self.key!r} lacks the scope {' or '.join(scopes)}", code="insufficient_scope")

    def sees_agent(self, name: str) -> bool:
        """Whether the agent is visible to this principal."""
        return self.agents == ALL or any(covers(pattern, name) for pattern in self.agents)

    def sees_tool(self, name: str) -> bool:
        """Whether agents may use this tool for this principal."""
        return self.tools == ALL or any(covers(pattern, name) for pattern in self.tools)


def _covers(held: list[str], wanted: list[str]) -> bool:
    if len(held) > len(wanted):
        return False
    return all(part in ("*", want) for part, want in zip(held, wanted, strict=False))


@dataclass(frozen=True, slots=True)
class SessionInfo:
    """What a tool may know of the conversation that it serves; `account` is that of the principal."""

    id: str
    team: str
    key: str
    channel: str | None = None
    account: str = ""


class Emit(Protocol):
    """How a running tool speaks: `emit("kind", key=value)` becomes a `custom` event of the run."""

    def __call__(self, kind: str, /, **data: Any) -> None: ...


class Output(Protocol):
    """How a running tool streams its output: `output("stdout", "a line")`."""

    def __call__(self, stream: str, text: str, /) -> None: ...


Mode = Literal["enforce", "warn", "audit"]
"""How strictly a rule is applied: `warn` tells what it would have done, `audit` only counts it."""
Action = Literal["deny", "ask", "warn", "change"]


class Decide(Protocol):
    """How an interceptor or a policy says what it found; the edges, the audit log and the counters hear of it."""

    def __call__(self, policy: str, action: Action, code: str, message: str, /, *, mode: Mode) -> None: ...


def undecided(_policy: str, _action: Action, _code: str, _message: str, /, *, mode: Mode) -> None:
    """Nobody hears."""


class Spend(Protocol):
    """How an interceptor that asks a model itself has the run pay for the turn, a broken one too."""

    def __call__(self, done: TurnDone | Broken, /) -> None: ...


def unpaid(_done: TurnDone | Broken, /) -> None:
    """Nobody pays."""


class Note(Protocol):
    """How an interceptor has the audit log tell what it saw, with the run's next transaction: `kind` and `outcome` are
    those of the record, `policy` is its own name, and `details` are JSON without secrets."""

    def __call__(self, kind: str, policy: str, outcome: str, details: dict[str, Any], /) -> None: ...


def unnoted(_kind: str, _policy: str, _outcome: str, _details: dict[str, Any], /) -> None:
    """Nothing is kept."""


class Mark(Protocol):
    """How an interceptor marks a call's result, in `ToolResult.meta`: whatever becomes of the result on its way, and
    whatever its own mode."""

    def __call__(self, name: str, value: str, /) -> None: ...


class Permit(Protocol):
    """Why the policies do not let a call be made with arguments that an interceptor has changed, or nothing; with
    `shown` they must be those that people were shown who approved it."""

    async def __call__(self, call: ToolCall, /, *, shown: bool) -> str: ...


async def permitted(_call: ToolCall, /, *, shown: bool) -> str:  # noqa: ARG001
    """Every change is let pass."""
    return ""


def unmarked(_name: str, _value: str, /) -> None:
    """Nothing is kept."""


@dataclass(frozen=True, slots=True)
class RunContext:
    """Within what a model turn is made, or a call: `turn` counts from 1, `cost` is in USD and that of the run so far,
    `depth` counts the runs above this one. `tainted` says that the run has read what nobody vouches for. `watched` says
    that nothing will come of what the interceptor does: it need not wait, and nobody else should hear of it.
    """

    run: str
    step: int
    agent: str
    session: SessionInfo
    turn: int = 1
    cost: float = 0.0
    depth: int = 0
    tainted: bool = False
    watched: bool = False
    decide: Decide = undecided
    spend: Spend = unpaid
    note: Note = unnoted


@dataclass(frozen=True, slots=True)
class ToolContext:
    """What one tool call may know and do.

    `deadline` is on the event loop's clock. `idempotency_key` is `run:step` and the same when the call is made again.
    `attempt` counts from 1. `within` and `tool` are what interceptors may know, `mark` is theirs;
    `permit` judges what they make of the arguments.

    The call of a tool that others execute passes its interceptors twice (`passage`). `resumed` says to one of them that
    it has done its part before the call already: what it charged or judged then counts, and only the result is left.
    `memo` is its own, and on the second way it finds there what it left on the first. `case` is the call as conditions
    see it, shared by all that see the same.

    `ask` puts a question to the person behind the call, who may take long: `deadline` does not count that time. None:
    nobody can be asked.
    """

    run: str
    step: int
    call_id: str
    agent: str
    session: SessionInfo
    deadline: float
    emit: Emit
    output: Output
    idempotency_key: str
    attempt: int = 1
    within: RunContext | None = None
    tool: ToolDefinition | None = None
    mark: Mark = unmarked
    permit: Permit = permitted
    passage: Passage = field(default_factory=Passage)
    resumed: bool = False
    memo: dict[str, Any] = field(default_factory=dict)
    case: object = None
    ask: Ask | None = None
    clock: Callable[[], float] = field(repr=False, default=lambda: 0.0)

    @property
    def run_context(self) -> RunContext:
        """`within`, or as much of it as the call itself says."""
        return self.within or RunContext(self.run, self.step, self.agent, self.session)
