"""Secrets in HashiCorp Vault or OpenBao: the KV engine, version 2, over its HTTP API."""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Annotated, Literal
from urllib.parse import quote, urlsplit

from pydantic import Field

from headgate.core.kind import Env, Finding, Kind, Scope, Spec
from headgate.core.scalars import Duration, Patience, Secret
from headgate.secrets.cache import CachedBackend
from headgate.secrets.content import Content
from headgate.secrets.failures import SecretDenied, SecretNotFound, SecretUnavailable
from headgate.secrets.vault_login import VaultLogin
from headgate.secrets.vault_wire import Answer, VaultWire

Mount = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)*$", examples=["secret", "kv/team"])]


class AppRole(Spec):
    """An AppRole login."""

    role_id: Secret
    """The role."""
    secret_id: Secret = ""
    """Its secret; empty when the role needs none."""
    mount: Mount = "approle"
    """Where the login method is mounted."""


class VaultSpec(Spec):
    """A KV engine of version 2: the path is the secret's path below the mount, the key a member of its data."""

    kind: Literal["vault"]
    address: str
    """The server, such as https://vault.example.com:8200."""
    mount: Mount = "secret"
    """Where the engine is mounted."""
    namespace: Annotated[str, Field(pattern=r"^[\x21-\x7e]+$", examples=["admin/team"])] | None = None
    """The namespace, where the server has them."""
    token: Secret = ""
    """A token; give this or `approle`."""
    approle: AppRole | None = None
    """How to log in for a token."""
    timeout: Patience = 10.0
    """How long one request may take."""
    ttl: Duration = 300.0
    """How long a secret that was read is kept."""


class VaultSource:
    """Reads secrets of one mount."""

    def __init__(self, wire: VaultWire, login: VaultLogin, mount: str) -> None:
        self._wire = wire
        self._login = login
        self._mount = mount

    async def load(self, path: str) -> Content:
        """The newest version of the secret; raises `SecretError`."""
        try:
            answer = await self._ask(f"{self._mount}/data/{quote(path, safe='/')}")
        except SecretNotFound:
            raise SecretNotFound(
                f"Vault has no secret {path} in {self._mount}, or its newest version is deleted"
            ) from None
        outer = answer.body.get("data")
        data = outer.get("data") if isinstance(outer, dict) else None
        metadata = outer.get("metadata") if isinstance(outer, dict) else None
        if not isinstance(data, dict) or not isinstance(metadata, dict):
            raise SecretUnavailable(f"{self._mount} does not answer as a KV engine of version 2 does")
        # A secret that was removed and written anew begins at version 1 again.
        return Content(data, f"{metadata.get('version')}@{metadata.get('created_time')}")

    async def _ask(self, path: str) -> Answer:
        token = await self._login.token()
        try:
            return await self._wire.ask("GET", path, token=token)
        except SecretDenied:
            if not self._login.reject(token):
                raise
        return await self._wire.ask("GET", path, token=await self._login.token())


def open_source(spec: VaultSpec, env: Env, clock: Callable[[], float] = time.monotonic) -> VaultSource:
    """The source of a spec, on the shared HTTP client; `clock` decides when tokens are renewed."""
    wire = VaultWire(env.http, spec.address, spec.namespace, spec.timeout)
    role = spec.approle
    login = {"role_id": role.role_id, "secret_id": role.secret_id} if role else None
    mount = role.mount if role else ""
    return VaultSource(wire, VaultLogin(wire, spec.token, login=login, mount=mount, clock=clock), spec.mount)


def _check(spec: VaultSpec, _scope: Scope) -> Iterable[Finding]:
    problem = _problem(spec.address)
    if problem:
        yield Finding(("address",), "HG1004", problem, "write one such as https://vault.example.com:8200")
    if bool(spec.token) == (spec.approle is not None):
        said = "token and approle exclude each other" if spec.token else "there is neither a token nor an approle"
        yield Finding(("approle",) if spec.token else (), "HG1004", said, "give one of them")


def _problem(address: str) -> str:
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError:
        return "the address is not an http or https URL"
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        return "the address is not an http or https URL"
    extra = parts.username is not None or parts.query or parts.fragment or parts.path.strip("/")
    return "the address has more than a host and a port" if extra else ""


@contextlib.asynccontextmanager
async def _open(spec: VaultSpec, env: Env) -> AsyncIterator[CachedBackend]:
    yield CachedBackend(open_source(spec, env).load, spec.ttl)


KIND = Kind("vault", "Secrets in HashiCorp Vault or OpenBao (KV version 2).", VaultSpec, _open, check=_check)
