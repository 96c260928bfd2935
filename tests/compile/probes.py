"""A tool kind that writes down when it is opened and closed, and small trees that use it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from headgate.compile.build import Builder
from headgate.compile.compiler import Compiled, Compiler
from headgate.compile.plan import Snapshot
from headgate.core.context import ToolContext
from headgate.core.errors import ConfigError
from headgate.core.kind import Env, Kind, Kinds
from headgate.core.messages import Text, ToolResult
from headgate.core.ports import ToolDefinition
from headgate.providers import PROVIDERS
from headgate.testing.harness import write_tree
from headgate.tools.common import ToolSpec

GATEWAY = 'version = 1\n[auth.keys.me]\nkey = "${env:KEY:-a-key-of-the-tests}"\n'
SCRIPTED = '[providers.default]\nkind = "scripted"\nturns = [{text = "Hello."}]\n'
AGENT = '---\ndescription: Helps.\ntools: ["*"]\n---\nYou help.\n'


class ProbeSpec(ToolSpec):
    """A tool that does nothing."""

    kind: Literal["probe"]
    value: str = ""
    """Anything."""
    file: str | None = None
    """A file of the tree that it reads."""
    opening: Literal["at once", "fails", "breaks", "never"] = "at once"
    """What becomes of an attempt to open it."""


@dataclass(frozen=True, slots=True)
class Probe:
    """An opened probe."""

    definition: ToolDefinition
    timeout: float = 1.0

    async def call(self, args: dict[str, Any], ctx: ToolContext, /) -> ToolResult:
        """Answers its own name."""
        return ToolResult(content=(Text(self.definition.name),))


@dataclass
class Bench:
    """A tree with probes that is compiled and opened again and again; `journal` is what happened since it was read."""

    root: Path
    environ: dict[str, str] = field(default_factory=dict)
    journal: list[str] = field(default_factory=list)
    hanging: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        probe = Kind("probe", "A probe.", ProbeSpec, self._open, files=lambda spec: (spec.file,) if spec.file else ())
        self.kinds = Kinds(PROVIDERS, {"probe": probe})
        self.compiler = Compiler(self.root, self.kinds, self.environ)

    @contextlib.asynccontextmanager
    async def _open(self, spec: ProbeSpec, env: Env) -> AsyncIterator[Probe]:
        if spec.opening == "fails":
            raise ConfigError("there is nobody at home", key=("value",), hint="ring twice")
        if spec.opening == "breaks":
            raise RuntimeError(f"cannot use {spec.value}")
        if spec.opening == "never":
            self.hanging.set()
            await asyncio.Event().wait()
        self.journal.append(f"open {env.name}")
        yield Probe(ToolDefinition(env.name, spec.description, spec.input_schema, kind="probe"))
        self.journal.append(f"close {env.name}")

    def write(self, files: Mapping[str, str]) -> None:
        """Writes files of the tree."""
        write_tree(self.root, files)

    def compile(self) -> Compiled:
        """Compiles the tree as it is now."""
        return self.compiler.compile()

    async def build(self, live: Snapshot | None = None) -> Snapshot:
        """Compiles and opens the tree, sharing with `live`, which is then retired."""
        compiled = self.compile()
        assert compiled.ok, compiled.diagnostics
        snapshot = await Builder(compiled, live, self.environ).build()
        if live is not None:
            await done(live)
        return snapshot

    def read(self) -> list[str]:
        """The journal since it was last read."""
        held, self.journal = self.journal, []
        return held


def probe(**keys: str) -> str:
    """The manifest of a probe."""
    return "kind: probe\ndescription: A probe.\n" + "".join(f"{name}: {value}\n" for name, value in keys.items())


async def done(snapshot: Snapshot) -> None:
    """Retires a snapshot and waits until it has let everything go."""
    snapshot.retire()
    await snapshot.closed()
