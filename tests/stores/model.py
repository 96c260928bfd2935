"""The ledger as a few dictionaries: what it ought to hold, without a database."""

from __future__ import annotations

from dataclasses import dataclass, field

ENDED = ("completed", "failed", "cancelled")


@dataclass
class Wait:
    """A question of a run."""

    id: str
    run: str
    expires_at: float
    state: str = "pending"


@dataclass
class Run:
    """A run; `log` has the kind, the id, the step and the text of each event, `over` whether its lease is."""

    id: str
    created_at: float
    owner: str | None
    over: bool
    session: str | None = None
    prior: str | None = None
    state: str = "running"
    fence: int = 1
    turns: int = 0
    steps: list[int] = field(default_factory=list)
    intents: set[int] = field(default_factory=set)
    log: list[tuple[str, str, int, str]] = field(default_factory=list)
    told: int = 0
    ended_at: float | None = None

    @property
    def order(self):
        """Where it stands among others: the oldest first."""
        return self.created_at, self.id

    def free(self, owner: str) -> bool:
        """Whether the owner may claim it with others."""
        left = self.owner is None or (self.over and self.owner != owner)
        return self.state == "queued" or (self.state == "running" and left)

    def open_to(self, owner: str) -> bool:
        """Whether the owner may claim it by its name."""
        left = self.owner in (None, owner) or self.over
        return self.state in ("queued", "waiting") or (self.state == "running" and left)

    def taken(self, owner: str, over: bool) -> None:
        """It has a new owner."""
        self.state, self.fence, self.owner, self.over, self.told = "running", self.fence + 1, owner, over, 0

    def left(self, state: str) -> None:
        """It has no owner any more."""
        self.state, self.owner, self.over = state, None, False


@dataclass
class Session:
    """A conversation."""

    id: str
    created_at: float
    head: str | None = None
    used_at: float = 0.0
    state: str = "open"


class Model:
    """What the ledger ought to hold."""

    def __init__(self) -> None:
        self.runs: dict[str, Run] = {}
        self.waits: dict[str, Wait] = {}
        self.sessions: dict[str, Session] = {}

    def runs_of(self, session: str) -> list[Run]:
        """The runs of the session."""
        return [run for run in self.runs.values() if run.session == session]

    def busy(self, session: str) -> bool:
        """Whether one of them has not ended."""
        return any(run.state not in ENDED for run in self.runs_of(session))

    def chain(self, run_id: str | None) -> list[str]:
        """The run and those that it stands on, newest first."""
        found: list[str] = []
        while run_id is not None:
            found.append(run_id)
            run_id = self.runs[run_id].prior
        return found

    def pending(self) -> list[Wait]:
        """The waits that are not settled."""
        return [wait for wait in self.waits.values() if wait.state == "pending"]

    def settle(self, wait: Wait, state: str) -> None:
        """Somebody or nobody has answered."""
        wait.state = state
        run = self.runs[wait.run]
        if run.state == "waiting":
            run.state = "queued"

    def end(self, run: Run, state: str, when: float) -> None:
        """The run is over, and what it waited for."""
        run.left(state)
        run.ended_at, run.intents = when, set()
        for wait in self.pending():
            if wait.run == run.id:
                wait.state = "cancelled"

    def delete(self, session: Session) -> None:
        """The session goes, with its runs and with those that it alone still stands on."""
        mine = self.runs_of(session.id)
        roots = [session.head, *(run.prior for run in mine)]
        mine += [run for run in self._reached(roots) if run.session is None and run.ended_at is not None]
        del self.sessions[session.id]
        ids = {run.id for run in mine}
        others = [run.prior for run in self.runs.values() if run.id not in ids]
        spared = {run.id for run in self._reached([*others, *(each.head for each in self.sessions.values())])}
        for run in mine:
            if run.id in spared:
                run.session = None
            else:
                self._drop(run)

    def sweep(self, before: float) -> None:
        """All that was over then goes, as far as nothing stands on it."""
        for session in list(self.sessions.values()):
            if max(session.used_at, session.created_at) < before and not self.busy(session.id):
                self.delete(session)
        while gone := [run for run in self.runs.values() if self._alone(run, before)]:
            for run in gone:
                self._drop(run)
        for run in self.runs.values():
            if run.ended_at is not None and run.ended_at < before:
                run.steps, run.log = [], []

    def _alone(self, run: Run, before: float) -> bool:
        if run.session is not None or run.ended_at is None or run.ended_at >= before:
            return False
        stands = any(other.prior == run.id for other in self.runs.values())
        return not stands and all(session.head != run.id for session in self.sessions.values())

    def _reached(self, roots: list[str | None]) -> list[Run]:
        """The runs of these ids and those that they stand on, each once."""
        ids = {run_id for root in roots for run_id in self.chain(root)}
        return [self.runs[run_id] for run_id in ids]

    def _drop(self, run: Run) -> None:
        del self.runs[run.id]
        self.waits = {key: wait for key, wait in self.waits.items() if wait.run != run.id}
