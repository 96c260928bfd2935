"""What can happen to sessions and runs, done to a ledger and to its model; `test_life_cycle` has the rest."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from headgate.core.events import MessageCompleted, TextDelta, ToolCompleted
from headgate.core.messages import ToolResult, Usage
from headgate.stores.records import Intent, Progress
from headgate.stores.told import Batch, Told
from headgate.testing.ledger_samples import (
    a_commit,
    a_park,
    a_run,
    a_session,
    a_step,
    a_wait,
    an_end,
    asked,
    at,
)
from tests.stores.machine import Machine, going_on, lease
from tests.stores.model import ENDED, Run, Session

OWNERS = st.sampled_from(["ann", "bob"])
OVER = st.booleans()
PICK = st.integers(0, 30)


class Working(Machine):
    """Every rule does something to the ledger and to the model."""

    @initialize()
    def start(self):
        """A store with a few runs."""
        self.open()
        self.new_session()
        for alone in (True, False, False):
            self.begin(0, alone=alone, owner="ann", over=False)

    # -- sessions and runs ---------------------------------------------------------------------------------------------

    @rule()
    def new_session(self):
        """A conversation begins."""
        session = a_session(created_at=self.tick(), expires_at=1e9)
        self.do(self.ledger.create_session(session))
        self.model.sessions[session.id] = Session(session.id, session.created_at)

    @precondition(lambda self: self.pick(0, *ENDED))
    @rule(number=PICK)
    def fork(self, number):
        """Another one begins at a run of it."""
        run = self.pick(number, *ENDED)
        session = a_session(created_at=self.tick(), expires_at=1e9, head_run=run.id, parent=run.session)
        self.do(self.ledger.create_session(session))
        self.model.sessions[session.id] = Session(session.id, session.created_at, head=run.id)

    @rule(number=PICK, alone=st.booleans(), owner=OWNERS, over=OVER)
    def begin(self, number, alone, owner, over):
        """A run begins, in a session or by itself."""
        sessions = [] if alone else list(self.model.sessions.values())
        session = sessions[number % len(sessions)] if sessions else None
        now = self.tick()
        new = a_run(created_at=now, session_id=session and session.id, prior_run=session and session.head)
        work = self.ledger.create_run(new, lease(owner, over), Told())
        if session and session.state == "closed":
            self.refuse(work, "store_conflict")
            return
        self.do(work)
        run = Run(new.id, now, owner, over, session and session.id, new.prior_run)
        self.model.runs[run.id] = run
        if session:
            session.head, session.used_at = run.id, now

    @precondition(lambda self: self.model.sessions)
    @rule(number=PICK)
    def close_session(self, number):
        """A conversation is closed."""
        session = list(self.model.sessions.values())[number % len(self.model.sessions)]
        assert self.do(self.ledger.close_session(session.id)) == (session.state == "open")
        session.state = "closed"

    @precondition(lambda self: self.model.sessions)
    @rule(number=PICK)
    def delete_session(self, number):
        """A conversation is deleted, unless it goes on."""
        session = list(self.model.sessions.values())[number % len(self.model.sessions)]
        if self.model.busy(session.id):
            self.refuse(self.ledger.delete_session(session.id), "store_conflict")
        else:
            assert self.do(self.ledger.delete_session(session.id))
            self.model.delete(session)

    # -- work ----------------------------------------------------------------------------------------------------------

    @going_on
    @rule(number=PICK, text=st.text("aé🙂", max_size=3))
    def say(self, number, text):
        """A run says something, which is flushed."""
        run = self.pick(number, "running")
        n, step = self.tell(run, "text.delta", text)
        event = at(n, TextDelta(text=text, step=step), run.fence)
        self.do(self.ledger.append_events([Batch(run.id, run.fence, (event,))]))

    @going_on
    @rule(number=PICK, texts=st.lists(st.text("aé🙂", max_size=3), max_size=4))
    def turn(self, number, texts):
        """A model turn is committed; what was said of it before was an attempt that does not count."""
        run = self.pick(number, "running")
        step = len(run.steps) + 1
        if texts:
            run.log = [told for told in run.log if (told[0], told[2]) != ("text.delta", step)]
        pieces = []
        for text in texts:
            n, _ = self.tell(run, "text.delta", text)
            pieces.append(at(n, TextDelta(text=text, step=step), run.fence))
        whole = "".join(texts)
        n, _ = self.tell(run, "message.completed", whole)
        event = at(n, MessageCompleted(text=whole, usage=Usage(), model="m", step=step), run.fence)
        run.intents.clear()  # they were about calls of the turn before
        self.commit(run, a_step(step), Told((event,), tuple(pieces)))

    @going_on
    @rule(number=PICK)
    def intend(self, number):
        """A call is about to begin."""
        run = self.pick(number, "running")
        step = len(run.steps) + 1
        self.do(self.ledger.begin_call(self.intent(run, step, run.fence)))
        run.intents.add(step)

    @going_on
    @rule(number=PICK)
    def call(self, number):
        """A call is committed."""
        run = self.pick(number, "running")
        n, step = self.tell(run, "tool.completed", "")
        result = ToolCompleted(call_id="c", name="t", result=ToolResult(), duration_ms=1, step=step)
        run.intents.discard(step)
        self.commit(run, a_step(step, kind="tool"), Told((at(n, result, run.fence),)))

    def commit(self, run, step, told):
        """Commits a step of a run."""
        run.steps.append(step.n)
        run.turns += 1
        work = a_commit(run.id, fence=run.fence, steps=(step,), progress=Progress(turns=run.turns), told=told)
        self.do(self.ledger.commit_step(work))

    def intent(self, run, step, fence):
        """The intent of a step."""
        return Intent(run_id=run.id, fence=fence, step=step, call_id="c", tool="t", at=self.clock)

    @going_on
    @rule(number=PICK, state=st.sampled_from(ENDED))
    def finish(self, number, state):
        """A run ends."""
        run = self.pick(number, "running")
        end = an_end(run.id, fence=run.fence, state=state, ended_at=self.tick(), progress=Progress(turns=run.turns))
        self.do(self.ledger.finish_run(end))
        self.model.end(run, state, self.clock)

    @precondition(lambda self: self.losers())
    @rule(number=PICK)
    def zombie(self, number):
        """Somebody who does not own a run any more, or one that is not running, tries to go on with it."""
        losers = self.losers()
        run, fence = losers[number % len(losers)]
        step = len(run.steps) + 1
        self.do(self.ledger.append_events([Batch(run.id, fence, (at(99, TextDelta(text="late"), fence),))]))
        self.do(self.ledger.release(run.id, fence))
        for work in (
            self.ledger.commit_step(a_commit(run.id, step, fence=fence)),
            self.ledger.begin_call(self.intent(run, step, fence)),
            self.ledger.open_wait(asked(a_wait(run.id), fence=fence)),
            self.ledger.park(a_park(run.id, fence=fence)),
            self.ledger.finish_run(an_end(run.id, fence=fence)),
        ):
            self.refuse(work, "fenced")

    # -- owners --------------------------------------------------------------------------------------------------------

    @rule(owner=OWNERS, over=OVER, limit=st.integers(1, 4))
    def claim(self, owner, over, limit):
        """Somebody looks for work."""
        free = sorted((run for run in self.model.runs.values() if run.free(owner)), key=lambda run: run.order)
        claimed = self.do(self.ledger.claim(lease(owner, over), limit))
        assert [run.id for run in claimed] == [run.id for run in free[:limit]]
        for run in free[:limit]:
            run.taken(owner, over)

    @rule(number=PICK, owner=OWNERS, over=OVER)
    def claim_run(self, number, owner, over):
        """Somebody wants one run."""
        run = self.pick(number, "queued", "running", "waiting", *ENDED)
        if run is None:
            return
        claimed = self.do(self.ledger.claim_run(run.id, lease(owner, over)))
        assert (claimed is not None) == run.open_to(owner)
        if claimed:
            run.taken(owner, over)

    @rule(owner=OWNERS, over=OVER)
    def renew(self, owner, over):
        """Somebody is alive."""
        mine = [run for run in self.model.runs.values() if run.state == "running" and run.owner == owner]
        assert self.do(self.ledger.renew(lease(owner, over))) == len(mine)
        for run in mine:
            run.over = over

    @going_on
    @rule(number=PICK)
    def release(self, number):
        """A run is left."""
        run = self.pick(number, "running")
        self.do(self.ledger.release(run.id, run.fence))
        run.left("running")

    @rule(clean=st.booleans())
    def reopen(self, clean):
        """The process ends, and another one begins: it takes all runs from their owners, or waits for their leases."""
        self.do(self.stack.aclose())
        self.open()
        if not clean:
            owned = [run for run in self.model.runs.values() if run.owner is not None]
            assert self.do(self.ledger.release_all()) == len(owned)
            for run in owned:
                run.left("running")
