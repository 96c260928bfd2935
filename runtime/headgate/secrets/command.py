"""Secrets that a program prints: the door to every password manager that has a command line."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterable, Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from headgate.core.kind import Env, Finding, Kind, Scope, Spec
from headgate.core.scalars import Duration, Patience
from headgate.expressions.template import TemplateText
from headgate.secrets.cache import CachedBackend
from headgate.secrets.content import Content, decode_text, parse_members
from headgate.secrets.failures import SecretDenied, SecretUnavailable
from headgate.secrets.process import Program

ALWAYS = ("PATH", "HOME", "LANG", "LC_ALL", "TZ")
"""The variables that a program gets without being named."""


class CommandSpec(Spec):
    """A program that prints a secret; it is run without a shell."""

    kind: Literal["command"]
    argv: Annotated[tuple[TemplateText, ...], Field(min_length=1)]
    """The program and its arguments; `{{ path }}` stands for the path of the reference."""
    parse: Literal["text", "json"] = "text"
    """Whether it prints the secret itself or a JSON object, of which the reference's key names a member."""
    env: tuple[Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", examples=["VAULT_ADDR"])], ...] = ()
    """Further environment variables that it gets; it has PATH, HOME, LANG, LC_ALL and TZ, and no others."""
    cwd: str | None = None
    """The directory that it runs in, by its absolute path."""
    timeout: Patience = 10.0
    """After which it is killed, with everything that it started."""
    ttl: Duration = 300.0
    """How long what it printed is kept."""


class CommandSource:
    """Runs the program of a spec for one path at a time."""

    def __init__(self, spec: CommandSpec, environ: Mapping[str, str]) -> None:
        self.spec = spec
        self.env = {name: environ[name] for name in (*ALWAYS, *spec.env) if name in environ}

    async def load(self, path: str) -> Content:
        """What the program prints for `path`; raises `SecretError`."""
        if path.startswith("-"):
            raise SecretDenied(f"{path!r} would be an option of the program")
        argv = [str(item.render_text({"path": path}, str)) for item in self.spec.argv]
        program = Program(argv, self.env, cwd=self.spec.cwd, timeout=self.spec.timeout)
        text = decode_text(await program.output(), path)
        if self.spec.parse == "text":
            return Content(text)
        members = parse_members(text)
        if members is None:
            raise SecretUnavailable(f"{argv[0]} printed no JSON object")
        return Content(members)


def _check(spec: CommandSpec, _scope: Scope) -> Iterable[Finding]:
    for index, item in enumerate(spec.argv):
        for path, offset in item.paths:
            if path != "path" or index == 0:
                hint = "only {{ path }} is known, and not as the program"
                yield Finding(("argv", index), "HG1302", f"'{path}' is not known here", hint, offset)
    if spec.cwd is not None and not Path(spec.cwd).is_absolute():
        yield Finding(("cwd",), "HG1004", f"{spec.cwd!r} is not an absolute path", "write one such as /srv/gateway")


@contextlib.asynccontextmanager
async def _open(spec: CommandSpec, env: Env) -> AsyncIterator[CachedBackend]:
    yield CachedBackend(CommandSource(spec, env.environ).load, spec.ttl)


KIND = Kind("command", "Secrets that a program prints, plain or as JSON.", CommandSpec, _open, check=_check)
