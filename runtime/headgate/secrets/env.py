"""Secrets in the environment of the process."""

from __future__ import annotations

import contextlib
import re
from collections.abc import AsyncIterator, Mapping
from typing import Literal

from pydantic import Field

from headgate.core.kind import Env, Kind, Spec
from headgate.core.ports import SecretValue
from headgate.secrets.content import Content
from headgate.secrets.failures import SecretNotFound, SecretUnavailable

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)


class EnvSpec(Spec):
    """Environment variables: the path is the variable's name after the prefix, the key a member of its JSON."""

    kind: Literal["env"]
    prefix: str = Field(default="", pattern=r"^([A-Za-z_][A-Za-z0-9_]*)?$", examples=["TEAM_"])
    """What the names of the variables begin with; others cannot be read."""


class EnvSecrets:
    """A back-end over `environ`, which is read anew each time."""

    def __init__(self, prefix: str, environ: Mapping[str, str]) -> None:
        self._prefix = prefix
        self._environ = environ

    async def read(self, path: str, key: str | None, /) -> SecretValue:
        """The variable, or the member `key` of the JSON object in it; raises `SecretError`."""
        name = self._prefix + path
        if not _NAME.fullmatch(name):
            raise SecretNotFound(f"{name!r} cannot be the name of an environment variable")
        value = self._environ.get(name)
        if value is None:
            raise SecretNotFound(f"the environment variable {name} is missing")
        if any("\ud800" <= character <= "\udfff" for character in value):
            raise SecretUnavailable(f"the environment variable {name} is not UTF-8 text")
        return Content(value).pick(name, key)


@contextlib.asynccontextmanager
async def _open(spec: EnvSpec, env: Env) -> AsyncIterator[EnvSecrets]:
    yield EnvSecrets(spec.prefix, env.environ)


KIND = Kind("env", "Secrets in environment variables.", EnvSpec, _open)
