"""`BACKEND/path#key`: what a manifest writes in `${secret:...}`, and how many of them are fetched at once."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from headgate.core.errors import ConfigError, GatewayError
from headgate.core.ports import SecretBackend, SecretValue
from headgate.secrets.failures import SecretNotFound

PARALLEL = 16
"""Reads of one back-end at a time."""

_FORM = re.compile(r"(?P<backend>[A-Za-z0-9_-]+)/(?P<path>[^#]+)(?:#(?P<key>[^#]+))?")
_BAD = re.compile(r"[\0-\x1f\x7f\ud800-\udfff]|(?:^|/)\.{0,2}(?:/|$)")
_HINT = "write ${secret:BACKEND/path#key}"


@dataclass(frozen=True, slots=True, order=True)
class SecretRef:
    """A secret by its name: the back-end `[secrets.BACKEND]`, the path in it, and the member if one is named."""

    backend: str
    path: str
    key: str | None = None

    @classmethod
    def parse(cls, text: str) -> SecretRef:
        """The reference of `BACKEND/path#key`, with or without `secret:` before it; raises `ConfigError`."""
        match = _FORM.fullmatch(text.removeprefix("secret:"))
        if match is None:
            raise ConfigError(f"{text!r} is not a reference to a secret", hint=_HINT)
        if _BAD.search(match["path"]):
            raise ConfigError(
                f"{match['path']!r} is not the path of a secret", hint="leave out . and .. and empty parts"
            )
        return cls(match["backend"], match["path"], match["key"])

    def __str__(self) -> str:
        return f"{self.backend}/{self.path}" + (f"#{self.key}" if self.key is not None else "")


async def fetch(
    backends: Mapping[str, SecretBackend], refs: Iterable[SecretRef]
) -> dict[SecretRef, SecretValue | GatewayError]:
    """What each reference stands for, or why it cannot be had; all are asked for concurrently, each once."""
    gates = {name: asyncio.Semaphore(PARALLEL) for name in backends}
    wanted = sorted(set(refs), key=str)

    async def read(ref: SecretRef) -> SecretValue | GatewayError:
        if ref.backend not in backends:
            return SecretNotFound(f"there is no [secrets.{ref.backend}]")
        async with gates[ref.backend]:
            try:
                return await backends[ref.backend].read(ref.path, ref.key)
            except GatewayError as error:
                return error

    async with asyncio.TaskGroup() as group:
        tasks = {ref: group.create_task(read(ref)) for ref in wanted}
    return {ref: task.result() for ref, task in tasks.items()}
