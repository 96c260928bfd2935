"""Whatever happens to runs, in whatever order, the ledger holds what a few dictionaries hold."""

from __future__ import annotations

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import invariant, precondition, rule

from headgate.stores.records import Progress, RunFilter, SessionFilter
from headgate.stores.sweep import Cutoffs
from headgate.stores.waits import WaitFilter
from headgate.testing.ledger_samples import a_park, a_wait, an_answer, asked
from tests.stores.life_cycle import PICK, Working
from tests.stores.machine import going_on
from tests.stores.model import Wait

ALL = 1000


class LifeCycle(Working):
    """Waits and sweeps; the invariants compare the ledger with the model."""

    @going_on
    @rule(number=PICK, seconds=st.integers(1, 5))
    def ask(self, number, seconds):
        """A run has a question."""
        run = self.pick(number, "running")
        wait = a_wait(run.id, created_at=self.tick(), expires_at=self.clock + seconds)
        self.do(self.ledger.open_wait(asked(wait, fence=run.fence)))
        self.model.waits[wait.id] = Wait(wait.id, run.id, wait.expires_at)

    @precondition(lambda self: self.model.waits)
    @rule(number=PICK, state=st.sampled_from(["approved", "denied", "answered"]))
    def answer(self, number, state):
        """Somebody answers, perhaps too late."""
        wait = list(self.model.waits.values())[number % len(self.model.waits)]
        settled = self.do(self.ledger.answer(an_answer(wait.id, state=state, at=self.tick())))
        assert (settled is not None) == (wait.state == "pending" and wait.expires_at > self.clock)
        if settled:
            self.model.settle(wait, state)

    @rule(limit=st.integers(1, 3))
    def expire(self, limit):
        """Time passes."""
        self.clock += 3.0
        now = self.clock
        over = sorted(
            (wait for wait in self.model.pending() if wait.expires_at <= now), key=lambda wait: wait.expires_at
        )
        if len({wait.expires_at for wait in over[: limit + 1]}) < len(over[: limit + 1]):
            limit = ALL  # of those that expire at once any may be the first
        assert self.do(self.ledger.expire_waits(self.clock, limit)) == len(over[:limit])
        for wait in over[:limit]:
            self.model.settle(wait, "expired")

    @going_on
    @rule(number=PICK, known=st.sets(PICK, max_size=3))
    def park(self, number, known):
        """A run can only wait, for some of what it knows pending or knew."""
        run = self.pick(number, "running")
        mine = [wait for wait in self.model.waits.values() if wait.run == run.id]
        waits = [wait for i, wait in enumerate(mine) if i in known]
        parked = a_park(run.id, *(wait.id for wait in waits), fence=run.fence, progress=Progress(turns=run.turns))
        state = "waiting" if all(wait.state == "pending" for wait in waits) else "queued"
        assert self.do(self.ledger.park(parked)) == state
        run.left(state)

    @rule(back=st.integers(0, 30), limit=st.sampled_from([1, 3, 40, ALL]))
    def sweep(self, back, limit):
        """What is old goes."""
        before = self.clock - back
        cutoffs = Cutoffs(events=before, runs=before, sessions=before)
        while self.do(self.ledger.sweep(cutoffs, limit)).more:
            pass
        self.model.sweep(before)

    # -- comparing -----------------------------------------------------------------------------------------------------

    @invariant()
    def runs_agree(self):
        """The ledger has the same runs, in the same state."""
        runs = self.do(self.ledger.runs(RunFilter(limit=ALL)))
        wanted = sorted(self.model.runs.values(), key=lambda run: run.order, reverse=True)
        assert [
            (run.id, run.state, run.fence, run.lease_owner, run.session_id, run.turns, run.ended_at) for run in runs
        ] == [(run.id, run.state, run.fence, run.owner, run.session, run.turns, run.ended_at) for run in wanted]

    @invariant()
    def waits_agree(self):
        """The ledger has the same waits, in the same state."""
        waits = self.do(self.ledger.waits(WaitFilter(limit=ALL)))
        assert {wait.id: wait.state for wait in waits} == {wait.id: wait.state for wait in self.model.waits.values()}
        pending = self.model.pending()
        assert self.do(self.ledger.count_waits()) == len(pending)
        assert self.do(self.ledger.next_expiry()) == min((wait.expires_at for wait in pending), default=None)

    @invariant()
    def sessions_agree(self):
        """The ledger has the same sessions, each with the same conversation."""
        sessions = self.do(self.ledger.sessions(SessionFilter(limit=ALL)))
        assert {each.session.id: (each.session.head_run, each.session.state, each.runs) for each in sessions} == {
            each.id: (each.head, each.state, len(self.model.runs_of(each.id))) for each in self.model.sessions.values()
        }

    @invariant()
    def one_run_agrees(self):
        """One run after the other has the same steps, intents, conversation and log."""
        runs = list(self.model.runs.values())
        if runs:
            self.compare(runs[int(self.clock) % len(runs)])

    def compare(self, run):
        """The ledger knows the same of the run."""
        loaded = self.do(self.ledger.load(run.id))
        assert [step.n for step in self.do(self.ledger.steps(run.id))] == run.steps
        assert set(loaded.begun) == run.intents
        assert [exchange.run_id for exchange in loaded.conversation] == self.model.chain(run.id)[::-1]
        events, after = [], (0, 0)
        while page := self.do(self.ledger.events(run.id, after, 3)):
            events += page
            after = page[-1].key
        assert [(event.id, event.step, getattr(event, "text", "")) for event in events] == [
            (event_id, step, text) for _, event_id, step, text in run.log
        ]

    def teardown(self):
        """At the end every run is compared."""
        try:
            for run in self.model.runs.values():
                self.compare(run)
        finally:
            super().teardown()


TestLifeCycle = LifeCycle.TestCase
TestLifeCycle.settings = settings(
    max_examples=100,
    stateful_step_count=40,
    database=None,
    suppress_health_check=list(HealthCheck),
)
