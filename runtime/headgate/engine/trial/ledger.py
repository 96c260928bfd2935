"""A ledger that keeps nothing: what the runs of inline tests are committed to."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, cast

from headgate.stores.audit import AuditPage, Ends, Link
from headgate.stores.documents import Documents
from headgate.stores.port import Ledger
from headgate.stores.sweep import Swept

_ANSWERS: dict[str, Any] = {
    "session": None, "sessions": (), "count_sessions": 0, "sweep_sessions": 0, "close_session": False,
    "delete_session": False, "conversation": (), "run": None, "runs": (), "steps": (), "load": None, "events": (),
    "claim": (), "claim_run": None, "renew": 0, "release_all": 0, "park": "waiting", "wait": None, "waits": (),
    "count_waits": 0, "answer": None, "expire_waits": 0, "next_expiry": None, "grants": (), "revoke_grants": 0,
    "sweep": Swept(), "size": 0, "create_session": None, "create_run": None, "commit_step": None, "begin_call": None,
    "append_events": None, "finish_run": None, "release": None, "open_wait": None, "backup": None, "ping": None,
    "close": None, "documents": Documents(), "generation": 0, "change_documents": 1, "reseal_document": True,
    "append_audit": None, "audit": AuditPage((), None), "audit_chain": (), "audit_place": 0,
    "audit_ends": Ends(Link(), Link()), "usage": (), "spent": (),
}  # fmt: skip
"""What each method of the port answers: every write succeeds and is forgotten, so there is nothing to read."""


class _Unkept:
    """Answers every method of the port from `_ANSWERS`."""

    def __getattr__(self, method: str) -> Callable[..., Awaitable[Any]]:
        if method not in _ANSWERS:
            raise AttributeError(method)

        async def answer(*_args: object) -> Any:
            return _ANSWERS[method]

        return answer


def unkept() -> Ledger:
    """A ledger that forgets."""
    return cast("Ledger", _Unkept())
