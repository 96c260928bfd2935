"""The manifest of a tool of kind `command`."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from headgate.core.scalars import SomeSize
from headgate.expressions.body import TemplateBody, TemplateScalar
from headgate.tools.common import ToolSpec
from headgate.tools.trials import Data, ToolTest

ExitStatus = Annotated[int, Field(ge=0, le=255)]


class CommandTest(ToolTest):
    """One call of the tool with canned output, and what must come of it; the program is not run."""

    judged: ClassVar[tuple[str, ...]] = ("expect", "error", "argv", "stdin")

    stdout: Data = ""
    """What the program prints: a text, or a structure that is printed as JSON."""
    stderr: str = ""
    """What the program prints on standard error."""
    exit: ExitStatus = 0
    """The exit status."""
    argv: tuple[str, ...] | None = None
    """The program and its arguments, as they must be."""
    stdin: Data = None
    """What the program must be given to read."""


class CommandSpec(ToolSpec):
    """A program, run without a shell."""

    kind: Literal["command"]
    argv: Annotated[tuple[TemplateScalar, ...], Field(min_length=1)]
    """The program, without a template, and its arguments. An item stays one argument whatever is in it; lists and
    objects are passed as JSON; an item with an absent argument is left out. A value may begin with a dash and be read
    as an option: write `--` before it, or `--name={{ args.name }}`. Others on the machine can read arguments: secrets
    belong in `env` or `stdin`."""
    stdin: TemplateBody | None = None
    """What the program reads: a text, or a structure that is passed as JSON. Without it there is nothing to read."""
    cwd: str | None = None
    """The directory that the program runs in, relative to the one that the gateway runs in, which is the default."""
    env: dict[str, TemplateScalar] = {}
    """Environment variables of the program; an absent argument leaves its variable out. Of the gateway's own
    environment the program has PATH, HOME, LANG, LANGUAGE, LC_*, TZ and TMPDIR, and nothing else."""
    inherit: tuple[str, ...] = ()
    """More variables of the gateway's environment that the program has where they are set. Secrets are better written
    as `${env:NAME}` under `env`, because only then they are kept out of what the program prints."""
    parse: Literal["json", "text"] = "text"
    """How standard output is read."""
    # With the note about what was dropped it fits into the default of [limits] tool_output, or that would cut the note.
    max_output: SomeSize = 255 << 10
    """How much is kept of standard output, and how much of each output is streamed; what is over is dropped."""
    ok_exit: Annotated[tuple[ExitStatus, ...], Field(min_length=1)] = (0,)
    """The exit statuses that are no failure."""
    tests: tuple[CommandTest, ...] = ()
    """Inline tests, which `headgate test` runs."""
