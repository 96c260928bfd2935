"""What is kept of a run when it begins: its row in the ledger, and who stands for it in the audit log."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec

from headgate.engine.run import Run
from headgate.engine.transcript import Transcript
from headgate.engine.witness import Witness
from headgate.stores.records import NewRun


def new_run(run: Run, transcript: Transcript) -> NewRun:
    """The run as the ledger keeps it."""
    order, principal = run.order, run.order.principal
    return NewRun(
        id=run.id, agent=run.plan.name, principal=principal.key, key_digest=principal.digest, team=principal.team,
        model=run.choice.model, revision=run.snapshot.revision, created_at=datetime.now(UTC).timestamp(),
        messages=transcript.posted, session_id=run.session_id or None, prior_run=transcript.prior_run,
        channel=order.channel,
        request=msgspec.structs.replace(order.request, tainted=tuple(sorted(transcript.tainted))),
    )  # fmt: skip


def witness_of(run: Run) -> Witness:
    """Who the audit log says makes the run's calls."""
    principal, snapshot = run.order.principal, run.snapshot
    return Witness(
        run.id, principal.key, principal.team, run.plan.name, run.session_id or None,
        snapshot.gateway.audit.arguments, snapshot.scrub,
    )  # fmt: skip
