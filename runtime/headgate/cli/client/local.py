"""An agent of a tree, run in this process: a whole gateway that does not listen."""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing

from headgate.boot import Gateway, Place, open_gateway
from headgate.cli.client.local_run import LocalRun
from headgate.cli.client.port import NOT_SUPPORTED, Question, Reply, Terms
from headgate.cli.client.target import Target
from headgate.core.context import Principal
from headgate.core.errors import ConfigError, NotFound
from headgate.core.events import Event, InputRequested
from headgate.core.messages import Message, ToolResult
from headgate.engine.answers import Polls, cast, delivered, entered, give, may_answer, require_approver
from headgate.engine.reloaded import Reloaded
from headgate.engine.run import Ending, Order
from headgate.engine.sessions import Session
from headgate.logs import configure
from headgate.manifest.diagnostics import render_text, suggest
from headgate.settings import Settings
from headgate.stores.waits import Answer, Vote, WaitRecord

OPERATOR = Principal(key="local operator", team="local", digest="", scopes=frozenset({"chat"}))
"""Who runs the command without `--key`. Whoever can read the tree and its secrets may call every agent of it and answer
every question; the name has a space, so that no key of `[auth.keys]` has it, and the digest is nobody's."""
_TTL = 7 * 86400.0


@contextlib.asynccontextmanager
async def open_local(target: Target) -> AsyncIterator[LocalClient]:
    """Opens the tree; raises `ConfigError` when it is wrong or served already, `NotFound` without such an agent."""
    settings = Settings()
    # What a person must know is among the events; the log speaks of it too, and only to those who ask for it.
    output = configure(settings.log_level if "log_level" in settings.model_fields_set else "error")
    place = Place(
        tree=(target.tree or settings.tree).resolve(), state=settings.state_dir, host="127.0.0.1", port=settings.port
    )
    if not place.tree.is_dir():
        raise ConfigError(f"there is no folder {place.tree}", hint="name the tree with --tree, or a server with --url")
    # Not watched: an edit becomes live between two turns, and never cancels one of a caller that no key stands for.
    async with open_gateway(place, watch=False, guest=OPERATOR) as gateway:
        output.scrub = lambda text: gateway.snapshot.scrub(text)
        client = LocalClient(gateway, target)
        client.require()
        try:
            yield client
        finally:
            await client.close()


class LocalClient:
    """A conversation with an agent of an open gateway."""

    def __init__(self, gateway: Gateway, target: Target) -> None:
        self._gateway = gateway
        self._host = gateway.edge.host
        self._target = target
        self._session: Session | None = None
        self._run: LocalRun | None = None
        self._ending: Ending | None = None
        self.agent = target.agent

    def require(self) -> None:
        """Raises unless the key and the agent are there."""
        snapshot, principal = self._gateway.snapshot, self._principal()
        principal.require("chat")
        if self.agent in snapshot.agents and principal.sees_agent(self.agent):
            return
        seen = sorted(name for name in snapshot.agents if principal.sees_agent(name))
        near = suggest(self.agent, seen)
        hint = f"did you mean {near}?" if near else f"there are: {', '.join(seen) or 'none'}"
        raise NotFound(f"there is no agent {self.agent!r}; {hint}", code="agent_not_found")

    def _principal(self) -> Principal:
        name, held = self._target.key, self._gateway.snapshot.principals.values()
        if name is None:
            return OPERATOR
        for principal in held:
            if principal.key == name:
                return principal
        names = ", ".join(sorted(each.key for each in held))
        raise ConfigError(f"[auth.keys] has no key {name!r}", hint=f"there are: {names or 'none'}")

    @property
    def model(self) -> str:
        """The id of the model that answers."""
        plan = self._gateway.snapshot.agents[self.agent]
        choice = plan.models.get(self._target.model) if self._target.model else plan.choice
        return choice.model if choice else ""

    @property
    def demo(self) -> bool:
        """Whether the agent's answers are scripted."""
        return self._gateway.snapshot.agents[self.agent].choice.demo

    async def ask(self, messages: Sequence[Message]) -> AsyncGenerator[Event, None]:
        """The events of one run."""
        self._ending = None
        await self.close()
        principal = self._principal()
        principal.require("chat")
        if self._session is None:
            limit = self._gateway.snapshot.gateway.server.limits.sessions
            self._session = await self._host.sessions.open(principal, self.agent, ttl=_TTL, limit=limit)
        run = self._run = LocalRun(self._host, await self._host.submit(self._order(principal, messages), self._session))
        self._pass_on(run)
        try:
            async with aclosing(run.events()) as events:
                async for event in events:
                    yield event
        finally:
            run.cancel(Ending("the command has ended"))

    def _pass_on(self, run: LocalRun) -> None:
        """Ends a run that was cancelled while it was being had."""
        if self._ending is not None:
            run.cancel(self._ending)

    def _order(self, principal: Principal, messages: Sequence[Message]) -> Order:
        target = self._target
        return Order(
            principal=principal, agent=self.agent, messages=tuple(messages), model=target.model,
            channel=target.channel, profile=target.profile, input=target.input,
        )  # fmt: skip

    def cancel(self, ending: Ending) -> None:
        """Ends the run, or keeps it from going on once it has begun."""
        self._ending = ending
        if self._run is not None:
            self._run.cancel(ending)

    async def close(self) -> None:
        """Leaves no run going on or waiting."""
        run, self._run = self._run, None
        if run is not None:
            await run.close()

    # -- questions ----------------------------------------------------------------------------------------------------

    async def terms(self, question: Question) -> Terms:
        """Remembered only where the policy has it; refused to a key that the policy does not name."""
        wait = await self._wait(question)
        principal = self._principal()
        refused = principal is not OPERATOR and not may_answer(principal, wait)
        refusal = f"only {' or '.join(wait.approvers)} may answer" if refused else ""
        return Terms(remember=wait.may_remember and wait.session_id is not None, refusal=refusal)

    async def reply(self, question: Question, reply: Reply) -> None:
        """Settles the question, and has the run go on."""
        wait, principal = await self._wait(question), self._principal()
        if principal is not OPERATOR:
            require_approver(principal, wait)
        vote = Vote(by=principal.key, decision=reply.decision, at=time.time(), reason=reply.reason)
        if wait.kind == "input":
            await self._give(entered(wait, vote, reply.content, team=principal.team), wait)
            return
        polls = Polls(self._host, self._host.ledger)
        done = await cast(wait, vote, polls, team=principal.team, remember=reply.remember)
        if self._run is not None and done.state != "pending":
            self._run.answered()

    async def decline(self, question: InputRequested) -> None:
        """The result of the call is that nobody here can execute it."""
        wait = await self._wait(question)
        result = ToolResult(status="error", error=NOT_SUPPORTED)
        await self._give(delivered(wait, result, time.time(), self._principal()), wait)

    async def _give(self, answer: Answer, wait: WaitRecord) -> None:
        await give(answer, wait, self._host)
        if self._run is not None:
            self._run.answered()

    async def _wait(self, question: Question) -> WaitRecord:
        wait = await self._host.ledger.wait(question.id)
        if wait is None:
            raise NotFound(f"there is no question {question.id!r}")
        return wait

    # -- between two runs ---------------------------------------------------------------------------------------------

    async def reset(self) -> None:
        """The next run opens a session of its own."""
        self._session = None

    async def refresh(self) -> str:
        """Compiles the tree if it has changed."""
        return _told(await self._gateway.edge.reloader.reload())


def _told(done: Reloaded) -> str:
    if done.status == "rejected":
        return f"the edit has errors; revision before goes on\n{render_text(done.diagnostics)}"
    if done.status == "applied":
        return f"the edit is live, revision {done.revision[:12]}"
    return ""
