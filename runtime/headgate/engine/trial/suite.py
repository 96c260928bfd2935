"""All inline tests of a draft: chosen, run side by side, and judged."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha256

from structlog.contextvars import bound_contextvars

from headgate.compile.build import fingerprints
from headgate.compile.draft import AgentSource, Draft, Item, Site
from headgate.core.errors import ConfigError
from headgate.core.glob import matching
from headgate.core.kind import Finding, Key
from headgate.engine.trial.agents import try_agent
from headgate.engine.trial.bench import Bench, NotKnown
from headgate.engine.trial.tools import try_tool
from headgate.engine.trial.verdict import Failure, Fault, Sort, Verdict, cannot_run
from headgate.tools.common import ToolSpec

WIDTH = 8
"""Tests that run side by side."""
_SHARED = ("gateway/limits", "gateway/models", "gateway/functions", "gateway/order of interceptors")


@dataclass(frozen=True, slots=True)
class Case:
    """One inline test; `stamp` is a fingerprint of all that its result depends on."""

    sort: Sort
    owner: str
    name: str
    site: Site
    key: Key
    stamp: str
    run: Callable[[], Awaitable[list[Failure]]] = field(repr=False)

    @property
    def path(self) -> tuple[str, str, str]:
        """What `--only` names."""
        return self.sort, self.owner, self.name


@dataclass(slots=True)
class Suite:
    """The inline tests of a draft without errors, in the order of agents, tools, and their manifests."""

    cases: tuple[Case, ...]
    scrub: Callable[[str], str]

    @classmethod
    def of(cls, draft: Draft, environ: Mapping[str, str]) -> Suite:
        """All tests; `environ` is the environment of the tools."""
        bench, stamps = Bench(draft, environ), _Stamps(draft)
        cases = [case for _, source in sorted(draft.agents.items()) for case in _of_agent(bench, source, stamps)]
        cases += [case for _, item in sorted(draft.tools.items()) for case in _of_tool(bench, item, stamps)]
        return cls(tuple(cases), bench.scrub)

    def only(self, path: Sequence[str]) -> Suite:
        """The tests below a path, such as `("agent", "assistant")`."""
        return Suite(tuple(each for each in self.cases if each.path[: len(path)] == tuple(path)), self.scrub)

    def without(self, stamps: frozenset[str]) -> Suite:
        """The tests that have none of these stamps."""
        return Suite(tuple(each for each in self.cases if each.stamp not in stamps), self.scrub)

    async def run(self, told: Callable[[Verdict], None] = lambda _verdict: None) -> list[Verdict]:
        """Runs the tests; `told` hears of each in order, as soon as those before it are done, too."""
        gate = asyncio.Semaphore(WIDTH)
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._one(case, gate), name=f"test {case.owner}") for case in self.cases]
            verdicts = []
            for task in tasks:
                verdicts.append(await task)
                told(verdicts[-1])
        return verdicts

    async def _one(self, case: Case, gate: asyncio.Semaphore) -> Verdict:
        async with gate:
            began = time.perf_counter()
            # The log tells what happens in a test from what happens to users.
            with bound_contextvars(test="/".join(case.path)):
                verdict = await self._verdict(case)
            return verdict.taken(time.perf_counter() - began)

    async def _verdict(self, case: Case) -> Verdict:
        try:
            failures = await case.run()
        except NotKnown as error:
            return Verdict(case.sort, case.owner, case.name, reason=f"the environment was left out: {error.message}")
        except ConfigError as error:
            failures = [cannot_run(f"the tool cannot be opened: {error.message}", error.hint)]
        faults = [self._fault(case, each.scrubbed(self.scrub)) for each in failures]
        faults.sort(key=lambda each: (each.diagnostic.line, each.diagnostic.column))
        return Verdict(case.sort, case.owner, case.name, faults=tuple(faults))

    def _fault(self, case: Case, failure: Failure) -> Fault:
        message = f"test {case.name!r}: {failure.sentence}"
        found = Finding((*case.key, *failure.key), failure.code, message, failure.hint)
        return Fault(failure, case.site.locate(found))


class _Stamps:
    """Fingerprints of tests: of their object and of all that it uses."""

    def __init__(self, draft: Draft) -> None:
        self._draft = draft
        self._prints = fingerprints(draft)
        own = ("fragments/", "providers/", "interceptors/")
        self._common = {name: each for name, each in self._prints.items() if name.startswith(own) or name in _SHARED}

    def tool(self, name: str) -> str:
        return _hash([self._prints[f"tools/{name}"], *(self._prints.get(each) for each in _SHARED)])

    def agent(self, source: AgentSource) -> str:
        tools = matching(source.spec.tools, self._draft.tools) if source.spec else []
        used = {name: self._prints[f"tools/{name}"] for name in tools}
        return _hash([self._prints[f"agents/{source.name}"], used, self._common])


def _of_agent(bench: Bench, source: AgentSource, stamps: _Stamps) -> Iterator[Case]:
    if source.spec is None or not source.spec.tests:
        return
    stamp = stamps.agent(source)
    for index, test in enumerate(source.spec.tests):
        run = partial(try_agent, bench, source, test)
        yield Case("agent", source.name, test.name, source.site, ("tests", index), f"{stamp}:{index}", run)


def _of_tool(bench: Bench, item: Item, stamps: _Stamps) -> Iterator[Case]:
    if not isinstance(item.spec, ToolSpec) or not item.spec.tests:
        return
    stamp = stamps.tool(item.name)
    for index, test in enumerate(item.spec.tests):
        name = test.name or str(index + 1)
        run = partial(try_tool, bench, item, test)
        yield Case("tool", item.name, name, item.site, ("tests", index), f"{stamp}:{index}", run)


def _hash(value: object) -> str:
    return sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
