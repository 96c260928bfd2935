"""The ledger of a tree, opened for this process alone, and the overlay in it."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from headgate.compile.specs import Gateway
from headgate.core.errors import ConfigError
from headgate.engine.custody import Custody
from headgate.engine.overlays import Overlays
from headgate.state import encryption_keys, own_ledger, prepare
from headgate.stores import ledger_path, open_ledger
from headgate.stores.cipher import Cipher
from headgate.stores.port import Ledger

log = structlog.get_logger("headgate.boot")


@dataclass(slots=True)
class Connection:
    """Opens the ledger when it is first known where it is; `stack` closes it."""

    tree: Path
    state: Path
    stack: contextlib.AsyncExitStack
    _ledger: Ledger | None = field(default=None, init=False)

    @property
    def ledger(self) -> Ledger:
        """The ledger, which is open by now."""
        if self._ledger is None:
            raise ConfigError("the ledger is not open yet")
        return self._ledger

    async def __call__(self, gateway: Gateway) -> Overlays:
        """The overlay of the ledger that the gateway names; raises `ConfigError` and `StoreError`."""
        database = ledger_path(gateway.store.url, self.tree)
        if database is not None:
            prepare(database.parent)
            self.stack.enter_context(own_ledger(database))
        self._ledger = await self.stack.enter_async_context(open_ledger(gateway.store.url, self.tree))
        cipher = cipher_of(gateway, self.state)
        custody = Custody(self._ledger, cipher)
        overlays = Overlays(self._ledger, cipher, custody)
        renewed = await overlays.renew() + await custody.renew()
        if renewed:
            log.info("overlay.renewed", texts=renewed, reason="their secrets are encrypted with the first key now")
        return overlays


def cipher_of(gateway: Gateway, state: Path) -> Cipher:
    """What encrypts the secrets of overlay documents: the keys of the tree, else one that is kept in `state`.

    One that was made before the tree had its own still decrypts.
    """
    auth = gateway.auth
    given = [auth.encryption_key] if auth.encryption_key is not None else []
    return Cipher([*given, *auth.previous_encryption_keys, *encryption_keys(state, make=not given)])
