"""What became of one inline test."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

from headgate.core.kind import Key
from headgate.manifest.diagnostics import Diagnostic

FAILED, CANNOT_RUN = "HG1501", "HG1502"
"""The codes of findings: a test failed, or could not be run."""
_SHOWN = 300
_SPACE = re.compile(r"\s+")

State = Literal["passed", "failed", "skipped"]
Sort = Literal["agent", "tool"]


@dataclass(frozen=True, slots=True)
class Failure:
    """One expectation that was not met, at `key` within the test; without `expected`, `message` says it all."""

    key: Key
    message: str
    expected: str = ""
    actual: str = ""
    hint: str = ""
    code: str = FAILED

    @property
    def sentence(self) -> str:
        """All of it in one line."""
        compared = f": expected {self.expected}, got {self.actual}" if self.expected else ""
        return self.message + compared

    def scrubbed(self, scrub: Callable[[str], str]) -> Failure:
        """The failure without secrets."""
        return Failure(
            self.key, scrub(self.message), scrub(self.expected), scrub(self.actual), scrub(self.hint), self.code
        )


def cannot_run(message: str, hint: str = "", key: Key = ()) -> Failure:
    """The failure of a test that says nothing about its object, because it cannot be run."""
    return Failure(key, message, hint=hint, code=CANNOT_RUN)


@dataclass(frozen=True, slots=True)
class Fault:
    """A failure and where it stands."""

    failure: Failure
    diagnostic: Diagnostic


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result of one test; `seconds` is how long it took, `reason` why it was skipped."""

    sort: Sort
    owner: str
    name: str
    seconds: float = 0.0
    faults: tuple[Fault, ...] = ()
    reason: str = ""

    @property
    def state(self) -> State:
        """Whether the test passed."""
        return "failed" if self.faults else "skipped" if self.reason else "passed"

    @property
    def diagnostics(self) -> tuple[Diagnostic, ...]:
        """The findings."""
        return tuple(each.diagnostic for each in self.faults)

    def taken(self, seconds: float) -> Verdict:
        """The verdict with the time that the test took."""
        return replace(self, seconds=seconds)


def shown(value: Any) -> str:
    """A value as JSON in one line, cut at a length that can be read."""
    return cut(json.dumps(value, ensure_ascii=False, default=str))


def cut(text: str) -> str:
    """A text in one line, cut at a length that can be read."""
    line = _SPACE.sub(" ", text).strip()
    return line if len(line) <= _SHOWN else f"{line[: _SHOWN - 3]}..."
