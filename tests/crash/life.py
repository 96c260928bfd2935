"""What goes on in a gateway until it is killed: runs begin, people answer, viewers watch."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from headgate.boot import Place, open_gateway
from headgate.core.context import Principal
from headgate.core.events import ENDED
from headgate.core.kind import Kinds
from headgate.core.messages import Message, Text, ToolResult
from headgate.engine.host import Host
from headgate.engine.keeper import Keeper
from headgate.engine.run import Order
from headgate.providers import PROVIDERS
from headgate.stores import open_ledger
from headgate.stores.port import Ledger
from headgate.stores.records import RunFilter, RunRecord
from headgate.stores.waits import Answer, Decision, Vote, WaitFilter, WaitRecord
from headgate.tools import TOOLS
from tests.crash import chores
from tests.crash.killer import Killer
from tests.crash.tree import SCRIPTS, UNLUCKY
from tests.crash.viewer import watch
from tests.waiting import until

STORE = "sqlite:///.headgate/state.db"
ACTIVE = 8
"""Runs that are kept going at once."""
KINDS = Kinds(
    providers={"scripted": PROVIDERS["scripted"]}, tools={name: TOOLS[name] for name in ("function", "client")}
)
"""Few, so that a gateway is soon in service."""
GUEST = Principal("guest", "guest", "0" * 64, frozenset())
"""So that the gateway leaves all runs to the host that is tested."""


@dataclass(frozen=True, slots=True)
class Folder:
    """What is left of a gateway that was killed."""

    root: Path

    @property
    def tree(self) -> Path:
        """The tree, with the ledger."""
        return self.root / "tree"

    @property
    def journal(self) -> Path:
        """What tools did."""
        return self.root / "journal.jsonl"

    @property
    def runs(self) -> Path:
        """The runs whose beginning was acknowledged."""
        return self.root / "runs.jsonl"

    @property
    def answers(self) -> Path:
        """The answers that were acknowledged."""
        return self.root / "answers.jsonl"

    def view(self, run: str) -> Path:
        """What the viewer of a run has seen."""
        return self.root / f"{run}.view"

    def lines(self, path: Path) -> list[dict[str, Any]]:
        """The lines of one of the files."""
        return [msgspec.json.decode(line) for line in path.read_bytes().splitlines()] if path.exists() else []


@dataclass(slots=True)
class Life:
    """The people around one host."""

    folder: Folder
    host: Host
    principal: Principal
    dice: random.Random
    patience: float
    """How likely a question is answered when somebody looks at it."""

    async def on(self) -> None:
        """Goes on until the process is killed: runs begin and end."""
        names = list(SCRIPTS)
        async with asyncio.TaskGroup() as group:
            self.resume(group)
            group.create_task(self.answer())
            while True:
                self.dice.shuffle(names)
                for name in names:
                    await until(lambda: len(self.host.runs) < ACTIVE)
                    await self.begin(group, name)
                    await asyncio.sleep(self.dice.uniform(0, 0.01))

    async def out(self) -> None:
        """Begins nothing any more, and returns when everything has ended."""
        async with asyncio.TaskGroup() as group:
            self.resume(group)
            answering = group.create_task(self.answer())
            while await unfinished(self.host.ledger):
                await until(lambda: not self.host.runs)
                await asyncio.sleep(0.005)
            answering.cancel()

    async def begin(self, group: asyncio.TaskGroup, name: str) -> str:
        """Begins a run, half of the time in a session, and has it watched."""
        session = None
        if self.dice.random() < 0.5:
            session = await self.host.sessions.open(self.principal, name, ttl=3600, limit=100_000)
        order = Order(self.principal, name, (Message("user", (Text("Do it."),)),))
        run = await self.host.submit(order, session)
        chores.note(self.folder.runs, run=run.id)
        self.follow(group, run.id)
        return run.id

    def resume(self, group: asyncio.TaskGroup) -> None:
        """The viewers of all runs come back."""
        for line in self.folder.lines(self.folder.runs):
            self.follow(group, line["run"])

    def follow(self, group: asyncio.TaskGroup, run: str) -> None:
        """A viewer follows a run."""
        group.create_task(watch(self.host, run, self.folder.view(run), run))

    async def answer(self) -> None:
        """Answers what is asked, by and by."""
        while True:
            for wait in await self.host.ledger.waits(WaitFilter(state="pending", limit=500)):
                if self.dice.random() < self.patience:
                    await self.settle(wait)
            await asyncio.sleep(0.004)

    async def settle(self, wait: WaitRecord) -> None:
        """Answers one question; a second answer must not count."""
        answer = self.said(wait)
        if await self.host.answer(answer) is not None:
            vote = answer.votes[0].decision if answer.votes else ""
            chores.note(self.folder.answers, wait=wait.id, state=answer.state, vote=vote, again="")
        if await self.host.answer(answer) is not None:
            chores.note(self.folder.answers, wait=wait.id, state=answer.state, vote="", again="was answered twice")

    def said(self, wait: WaitRecord) -> Answer:
        """What a person says: the same in every process, but for outcomes that nobody knows."""
        now = time.time()
        if wait.kind == "approval":
            no = wait.args["n"] == UNLUCKY
            vote = Vote(by="tester", decision="deny" if no else "approve", at=now, reason="unlucky" if no else "")
            return Answer(wait_id=wait.id, state="denied" if no else "approved", at=now, votes=(vote,))
        if wait.kind == "client_tool":
            result = ToolResult(structured={"chosen": wait.args["n"]})
            return Answer(wait_id=wait.id, state="answered", at=now, result=result)
        choices: list[Decision] = ["retry", "done", "failed"]
        vote = Vote(by="tester", decision=self.dice.choice(choices), at=now)
        return Answer(wait_id=wait.id, state="answered", at=now, votes=(vote,))


@contextlib.asynccontextmanager
async def life(
    folder: Folder, seed: int, *, countdown: int = 0, before: bool = False, patience: float = 1.0
) -> AsyncIterator[Life]:
    """A gateway on the folder that goes on with what it finds; with a `countdown` its ledger kills it."""
    chores.journal = folder.journal
    dice = random.Random(seed)
    place = Place(tree=folder.tree, environ={}, kinds=KINDS)
    async with open_gateway(place, watch=False, guest=GUEST if countdown else None) as gateway:
        host, (principal,) = gateway.edge.host, gateway.snapshot.principals.values()
        if not countdown:
            yield Life(folder, host, principal, dice, patience)
            return
        ledger = Killer(host.ledger, countdown, before=before).as_ledger()
        await ledger.release_all()
        own = Host(ledger, gateway.snapshot, place.state_dir)
        async with Keeper(own).at_work():
            yield Life(folder, own, principal, dice, patience)
        await own.stop(0)


async def unfinished(ledger: Ledger) -> list[RunRecord]:
    """The runs that have not ended."""
    return [run async for run in every_run(ledger) if run.state not in ENDED]


async def every_run(ledger: Ledger) -> AsyncIterator[RunRecord]:
    """All runs of the ledger."""
    after = None
    while page := await ledger.runs(RunFilter(after=after, limit=200)):
        for run in page:
            yield run
        after = page[-1].created_at, page[-1].id


@contextlib.asynccontextmanager
async def only_the_ledger(folder: Folder) -> AsyncIterator[Ledger]:
    """The ledger, while no gateway runs."""
    async with open_ledger(STORE, folder.tree) as ledger:
        yield ledger
