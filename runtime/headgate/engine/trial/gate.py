"""`[reload] require_tests`: a revision is let through only when its inline tests pass."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from headgate.compile.draft import Draft
from headgate.engine.trial.suite import Suite
from headgate.manifest.diagnostics import Diagnostic

_REMEMBERED = 100_000


class Gate:
    """Runs the tests of one draft after the other; a test whose object and all that it uses are as they were when it
    passed is not run again."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._passed: frozenset[str] = frozenset()

    def pending(self, draft: Draft) -> Suite:
        """The tests of a draft without errors that must be run before it may be live."""
        if draft.gateway is None or not draft.gateway.reload.require_tests:
            return Suite((), str)
        return Suite.of(draft, self._environ).without(self._passed)

    async def findings(self, draft: Draft) -> tuple[Diagnostic, ...]:
        """What fails, of a draft without errors; nothing when the gateway does not require tests."""
        suite = await asyncio.to_thread(self.pending, draft)
        verdicts = await suite.run()
        pairs = zip(suite.cases, verdicts, strict=True)
        passed = frozenset(case.stamp for case, verdict in pairs if verdict.state == "passed")
        self._passed = passed if len(self._passed) > _REMEMBERED else self._passed | passed
        return tuple(found for verdict in verdicts for found in verdict.diagnostics)
