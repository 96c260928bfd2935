"""How what is live stands to the tree that was read last, kept in the status while one attempt follows another."""

from __future__ import annotations

from headgate.compile.compiler import Compiled
from headgate.compile.plan import Snapshot
from headgate.compile.specs import Gateway
from headgate.engine.conditions import accepted, documents_fit, rejected
from headgate.engine.status import Status
from headgate.manifest.diagnostics import Diagnostic


class Standing:
    """Says in `status` what came of each attempt. `booted` are the settings that the process began with, and `rejected`
    is the stamp of the newest tree if that was refused (see `Compiled.stamp`)."""

    def __init__(self, status: Status) -> None:
        self.status = status
        self.booted: Gateway | None = None
        self.rejected: tuple[str, int, str] | None = None

    def accept(self, snapshot: Snapshot) -> None:
        """The snapshot is what tree and overlay say."""
        self.rejected = None
        accepted(self.status, snapshot, self.booted)

    def reject(self, compiled: Compiled, findings: tuple[Diagnostic, ...]) -> None:
        """The tree is wrong, and what was live is live still."""
        self.rejected = compiled.stamp
        rejected(self.status, compiled, findings)

    def revise(self, snapshot: Snapshot) -> None:
        """The overlay is another one; the tree may still be wrong."""
        if self.rejected is None:
            self.accept(snapshot)
        else:
            documents_fit(self.status, snapshot)
