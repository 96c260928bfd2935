"""Going on with runs that the ledger has and nobody is at work on."""

from __future__ import annotations

import structlog

from headgate.core.errors import RequestError, StoreError
from headgate.engine.admission import planned
from headgate.engine.host import Host, end
from headgate.engine.inputs import void_lost
from headgate.engine.resume import progress_of, reason_of, starting_point, steps_of
from headgate.engine.run import Ending, Order, Run
from headgate.engine.warden import REVOKED
from headgate.stores.records import Resumption, RunRecord

log = structlog.get_logger("headgate.adoption")


async def adopt(host: Host, record: RunRecord) -> None:
    """Goes on with a run that was claimed for this process; one that may not go on any more is ended."""
    try:
        found = await host.ledger.load(record.id)
        if found is None or found.run.fence != record.fence or record.id in host.runs:
            return  # it is somebody else's by now, who may have ended it
        if host.draining:
            await host.ledger.release(record.id, record.fence)
        else:
            await _adopt(host, found)
    except StoreError as error:
        log.warning("run.not_adopted", run=record.id, code=error.code, message=error.message)
        if record.id not in host.runs:
            host.left.add(record.id)


async def _adopt(host: Host, found: Resumption) -> None:
    record, ending = found.run, host.left.take(found.run.id)
    principal, stopped = host.warden.owner(record), host.warden.of_record(record)
    if principal is None or stopped is not None:
        await end(host, record, stopped or REVOKED)
        return
    order = Order(
        principal, record.agent, (), record.request.model, record.channel, record.request.profile,
        record.request.input, record.request.timeout,
    )  # fmt: skip
    try:
        plan, choice = planned(host.snapshot, order)
    except RequestError as error:
        await end(host, record, Ending(f"the run cannot go on: {error.message}", "revoked"))
        return
    start = starting_point(found)
    run = Run(
        record.id, order, host.snapshot.acquire(), plan, choice, host.logs.claimed(record), record.session_id or "",
        fence=record.fence, progress=progress_of(record), steps=steps_of(found, start), ending=ending,
    )  # fmt: skip
    run.taint.sources |= set(record.request.tainted)
    host.runs.hold(run)
    recorder = host.recorder(run)
    recorder.emit(reason_of(found, start))
    await void_lost(host.ledger, recorder, found.waits, found.resolved)
    host.start(run, recorder, start)
    run.deserted()
    await _rejoin(host, run)


async def _rejoin(host: Host, run: Run) -> None:
    """The session is busy with the run again."""
    session = await host.sessions.find(run.session_id) if run.session_id else None
    if session is not None and session.head_run == run.id:
        session.begin(run)
