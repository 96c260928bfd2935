"""Tokens that a program prints: the door to every identity provider that has a command line."""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

import httpx2
from pydantic import Field

from headgate.core.errors import ToolError
from headgate.core.scalars import Patience
from headgate.mcp.auth_kind import AuthEnv, AuthKind, AuthSpec, TokenAuth
from headgate.net.oauth import is_token, lifetime
from headgate.net.tokens import Fetch, Token, TokenSource
from headgate.secrets.command import ALWAYS
from headgate.secrets.content import parse_members
from headgate.secrets.failures import SecretUnavailable
from headgate.secrets.process import Program


class Command(AuthSpec):
    """A program that prints a token; it is run without a shell, in the folder of the tree."""

    type: Literal["command"]
    argv: Annotated[tuple[Annotated[str, Field(min_length=1)], ...], Field(min_length=1)]
    """The program and its arguments. It prints the token, or a JSON object with `token` and one of `expires_in`
    (seconds) and `expires_at` (epoch seconds, or a time such as 2026-01-31T12:00:00Z)."""
    env: tuple[Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", examples=["AWS_PROFILE"])], ...] = ()
    """Further environment variables that it gets; it has PATH, HOME, LANG, LC_ALL and TZ, and no others."""
    timeout: Patience = 10.0
    """After which it is killed, with everything that it started."""
    ttl: Patience = 300.0
    """How long a token lives whose end is not printed."""

    @property
    def program(self) -> str | None:
        """The program."""
        return self.argv[0]


def read_printed(text: str, ttl: float, now: float) -> Token:
    """The token that was printed; `now` in epoch seconds. Raises `ToolError`, which shows nothing."""
    members = parse_members(text)
    if members is None:
        return Token(_usable(text.strip()), ttl)
    value = members.get("token", members.get("access_token"))
    return Token(_usable(value), _life(members, ttl, now))


def _usable(value: Any) -> str:
    if not isinstance(value, str) or not is_token(value) or " " in value:
        raise ToolError("auth_error", "the program printed neither a token nor a JSON object with one")
    return value


def _life(members: Mapping[str, Any], ttl: float, now: float) -> float:
    if "expires_in" in members:
        return lifetime(members["expires_in"], ttl)
    if "expires_at" not in members:
        return ttl
    left = _moment(members["expires_at"]) - now
    if left <= 0:
        raise ToolError("auth_error", "the program printed a token that has expired", retryable=True)
    return left


def _moment(given: Any) -> float:
    try:
        return float(given)
    except (TypeError, ValueError):
        pass
    try:
        moment = datetime.fromisoformat(str(given))
    except ValueError:
        raise ToolError("auth_error", "the program printed an 'expires_at' that is no time") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def printing(program: Program, ttl: float, clock: Callable[[], float] = time.time) -> Fetch:
    """Runs the program for a token; `clock` gives epoch seconds."""

    async def fetch() -> Token:
        try:
            text = (await program.output()).decode()
        except SecretUnavailable as error:
            raise ToolError("auth_error", error.message, retryable=error.retryable) from None
        except UnicodeDecodeError:
            raise ToolError("auth_error", f"{program.argv[0]} printed no text") from None
        return read_printed(text, ttl, clock())

    return fetch


@contextlib.asynccontextmanager
async def open_command(spec: Command, env: AuthEnv) -> AsyncIterator[httpx2.Auth]:
    """The tokens."""
    known = env.env.environ
    passed = {name: known[name] for name in (*ALWAYS, *spec.env) if name in known}
    program = Program(spec.argv, passed, cwd=str(env.env.root), timeout=spec.timeout)
    yield TokenAuth(TokenSource(printing(program, spec.ttl)))


COMMAND: AuthKind[Command] = AuthKind("command", Command, open_command)
