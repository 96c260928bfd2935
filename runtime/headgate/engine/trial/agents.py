"""One inline test of an agent: the real runner and the real door to tools, with a script in the model's place."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field, replace
from typing import Any

from headgate.compile.applied import Applied
from headgate.compile.catalog import Catalog
from headgate.compile.draft import AgentSource, Draft, Item
from headgate.compile.fold import bind_all, fold_agents
from headgate.compile.offer import servers_of
from headgate.compile.plan import AgentPlan, ModelChoice, Snapshot
from headgate.compile.trials import AgentTest
from headgate.core.context import Principal, RunContext
from headgate.core.errors import RequestError
from headgate.core.glob import matching
from headgate.core.messages import Message, Text
from headgate.core.ports import ModelEvent, ModelRequest, Provider, Tool
from headgate.engine.host import Host
from headgate.engine.run import Order
from headgate.engine.trial.bench import Bench, StandIn, is_safe
from headgate.engine.trial.consent import Consent
from headgate.engine.trial.ledger import unkept
from headgate.engine.trial.mocks import Mocks
from headgate.engine.trial.story import Story
from headgate.engine.trial.verdict import Failure, cannot_run
from headgate.manifest.diagnostics import suggest
from headgate.mcp.naming import may_name
from headgate.providers.scripted import Scripted, ScriptedSpec

TESTER = Principal(key="test", team="test", digest="", scopes=frozenset({"chat"}))
"""Who makes the requests of inline tests; it may do all that an agent's own manifest allows."""


async def try_agent(bench: Bench, source: AgentSource, test: AgentTest) -> list[Failure]:
    """What is wrong with one test; its keys are relative to the test."""
    names = matching(source.spec.tools, bench.draft.tools) if source.spec else []
    async with bench.all(names) as tools, bench.around() as around:
        catalog = Catalog(tools, served(bench.draft, source, test))
        strangers = [_unknown(name, names) for name in test.mocks if name not in catalog.all]
        return strangers or await _Trial(bench, source, test, catalog, around).failures()


def served(draft: Draft, source: AgentSource, test: AgentTest) -> dict[str, dict[str, Tool]]:
    """Stand-ins for those tools of MCP servers that the test has answers for; no server is asked what it has."""
    agents = [each.spec for each in draft.agents.values() if each.spec is not None]
    mine = servers_of(source.spec, agents, draft.served) if source.spec else []
    out: dict[str, dict[str, Tool]] = {}
    for name in test.mocks:
        owner = next((each for each in mine if may_name(each, draft.served[each], name)), None)
        if owner is not None and name not in draft.tools:
            out.setdefault(owner, {})[name] = StandIn(name, owner)
    return out


def _unknown(name: str, names: list[str]) -> Failure:
    guess = suggest(name, names)
    hint = f"did you mean {guess!r}?" if guess else f"it has: {', '.join(names) or 'none'}"
    return cannot_run(f"the agent has no tool {name!r} to mock", hint, ("mocks", name))


@dataclass(slots=True)
class _Trial:
    """One run of one test."""

    bench: Bench
    source: AgentSource
    test: AgentTest
    catalog: Catalog
    around: list[Applied]
    prompts: list[str] = field(default_factory=list)

    async def failures(self) -> list[Failure]:
        """Runs the test and judges what came of it."""
        safe = frozenset(name for name, tool in self.catalog.all.items() if is_safe(tool))
        mocks = Mocks(self.test.mocks, safe)
        host = Host(unkept(), self._snapshot(mocks))
        try:
            run = await host.submit(self._order())
            done = run.task is None or bool((await asyncio.wait([run.task], timeout=self.test.timeout))[0])
        except RequestError as error:
            return Story.refused(error).judged(self.test.expect)
        finally:
            await host.stop(0)
        if not done:
            return [Failure((), f"the run did not end within {self.test.timeout:g} s")]
        return mocks.failures or Story.of(run.log.events, self.prompts, mocks.reached).judged(self.test.expect)

    def _order(self) -> Order:
        given = self.test.given
        message = Message("user", (Text(given.user),))
        return Order(
            TESTER, self.source.name, (message,), channel=given.channel, profile=given.profile, input=given.input
        )

    def _snapshot(self, mocks: Mocks) -> Snapshot:
        gateway = self.bench.draft.gateway
        if gateway is None:
            raise ValueError("a draft without a gateway cannot be tried")
        plan = self._plan(mocks)
        return Snapshot(
            revision=self.bench.draft.tree.revision, gateway=gateway, agents={plan.name: plan}, principals={},
            resources=(), demo=True, scrub=self.bench.scrub,
        )  # fmt: skip

    def _plan(self, mocks: Mocks) -> AgentPlan:
        scripted = Scripted(ScriptedSpec(turns=self.test.script), self.test.script)
        draft = _alone(self.bench.draft, self.source)
        providers: dict[str, Provider] = dict.fromkeys(draft.providers, scripted)
        bound = mocks.over(bind_all(self.catalog.all, {}))
        plan = fold_agents(draft, providers, self.catalog, self.around, bound=bound)[self.source.name]
        return replace(plan, choice=self._overheard(plan.choice), approvals=Consent(plan.approvals))

    def _overheard(self, choice: ModelChoice) -> ModelChoice:
        """The choice, whose prompts are kept."""

        def stream(ctx: RunContext, request: ModelRequest) -> AsyncGenerator[ModelEvent]:
            self.prompts.append(request.system)
            return choice.stream(ctx, request)

        return ModelChoice(choice.model, stream, choice.demo)


def _alone(draft: Draft, source: AgentSource) -> Draft:
    """The draft with this agent only, and with providers whose retries follow each other without a pause."""
    return replace(
        draft,
        agents={source.name: source},
        providers={name: _hurried(item) for name, item in draft.providers.items()},
    )


def _hurried(item: Item) -> Item:
    retry: Any = item.spec.retry.model_copy(update={"backoff": 0.001})
    return replace(item, spec=item.spec.model_copy(update={"retry": retry}))
