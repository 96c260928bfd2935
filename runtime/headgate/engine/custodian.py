"""Sees to it that what people granted goes with the server that it was for, and with the key of who granted it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import structlog

from headgate.compile.plan import Snapshot
from headgate.core.context import VOUCHED
from headgate.engine.custody import Custody
from headgate.engine.servers import declared
from headgate.engine.visitors import digest_of
from headgate.mcp.auth_user import OAuth2User
from headgate.mcp.grants import FLOW, GRANT, belongs
from headgate.mcp.personal import Personal
from headgate.mcp.spec import ServerSpec
from headgate.stores.credentials import CredentialKey

log = structlog.get_logger("headgate.custody")

EVERY = 600.0
"""Seconds after which the vault is looked through without a change, too."""
LOCAL = "local operator"
"""Who runs commands on the machine itself, for whom no key stands."""


class Custodian:
    """Looks through the vault after each change of the configuration, and now and then for what is over."""

    def __init__(self, custody: Custody, clock: Callable[[], float] = time.monotonic) -> None:
        self._custody = custody
        self._clock = clock
        self._seen = ""
        self._next = 0.0

    async def tidy(self, snapshot: Snapshot) -> None:
        """Forgets what is of no server and of nobody any more, as the snapshot has them; raises `StoreError`."""
        if snapshot.tag == self._seen and self._clock() < self._next:
            return
        self._next = self._clock() + EVERY
        gone = stale(await self._custody.all(), snapshot)
        await self._custody.forget(gone)
        if gone:
            told = [{"kind": kind, "account": owner, "server": name} for kind, owner, name in gone]
            log.info("custody.forgotten", texts=told)
        for name in {name for kind, _, name in gone if kind == GRANT}:
            server = snapshot.servers.get(name)
            if isinstance(server, Personal):
                await server.recount()
        self._seen = snapshot.tag


def stale(texts: Mapping[CredentialKey, str], snapshot: Snapshot) -> list[CredentialKey]:
    """Of what is kept, what no server is there for, or nobody; what is on its way ends by itself."""
    servers = {name: each.spec for name, each in declared(snapshot).items() if isinstance(each.spec.auth, OAuth2User)}
    accounts = {each.account for each in snapshot.principals.values()} | {LOCAL}
    return [
        key for key, text in texts.items()
        if key[0] != FLOW and not _is_held(key, text, servers, accounts, snapshot)
    ]  # fmt: skip


def _is_held(
    key: CredentialKey, text: str, servers: Mapping[str, ServerSpec], accounts: set[str], snapshot: Snapshot
) -> bool:
    kind, owner, name = key
    spec = servers.get(name)
    if spec is None or not belongs(text, spec):
        return False
    return kind != GRANT or owner in accounts or _is_vouched(owner, snapshot)


def _is_vouched(owner: str, snapshot: Snapshot) -> bool:
    """Whether the identity provider of the snapshot is the one that vouched for the account."""
    oidc = snapshot.gateway.auth.oidc
    name, _, beginning = owner.rpartition(" ")
    if oidc is None or not name.startswith(VOUCHED):
        return False
    return digest_of(oidc.issuer, name.removeprefix(VOUCHED)).startswith(beginning)
