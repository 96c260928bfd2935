"""How the ledger's statements are put together: portable SQL with `:name` parameters, the same on every database.

What databases spell differently stands in braces; see `Dialect`.
"""

from __future__ import annotations

from typing import Protocol

from headgate.stores.records import Cursor
from headgate.stores.sql.database import Guard, Statement
from headgate.stores.sql.rows import Params, bind

FENCED = Guard("fenced", "The run is not running any more, or it has another owner now.")
OWNED = "id = :run_id AND fence = :fence AND state = 'running'"
"""By what right a run is written."""

HOLD_RUN = f"UPDATE runs SET fence = fence WHERE {OWNED}"
"""Changes nothing, but keeps others from the run until the transaction ends."""


def insert(table: str, names: tuple[str, ...]) -> str:
    """A row of the table, with each column from the parameter of its name."""
    return f"INSERT INTO {table} ({', '.join(names)}) VALUES ({', '.join(f':{name}' for name in names)})"


def select(table: str, names: tuple[str, ...]) -> str:
    """The columns of the table, to which conditions can be added."""
    return f"SELECT {', '.join(names)} FROM {table}"


def only(name: str, value: str) -> str:
    """A condition that narrows what another one has found: no index is searched for it.

    SQLite knows nothing of how often a value occurs, and would as soon read all that is pending as what is one run's.
    """
    return f"coalesce({name}, '') = {value}"


def held(run_id: str, fence: int) -> Statement:
    """What begins a transaction that writes under a fence without changing the run itself."""
    return Statement(HOLD_RUN, ({"run_id": bind(run_id), "fence": fence},), FENCED)


class Filter(Protocol):
    """What every filter of a list has."""

    @property
    def after(self) -> Cursor | None:
        """The last record of the page before."""
        ...

    @property
    def limit(self) -> int:
        """Records on a page."""
        ...


def listing(base: str, wanted: Filter, names: tuple[str, ...], extra: str = "") -> tuple[str, Params]:
    """The query for a page, newest first, of what has the values that the filter gives for some of the columns.

    The columns go from the one that says most to the one that says least.
    """
    params: Params = {name: bind(value) for name in names if (value := getattr(wanted, name)) is not None}
    terms = [f"{name} = :{name}" if i == 0 else only(name, f":{name}") for i, name in enumerate(params)]
    if extra:
        terms.append(extra)
    if wanted.after is not None:
        params |= {"after_at": wanted.after[0], "after_id": bind(wanted.after[1])}
        terms.append("(created_at, id) < (:after_at, :after_id)")
    where = f" WHERE {' AND '.join(terms)}" if terms else ""
    return f"{base}{where} ORDER BY created_at DESC, id DESC LIMIT :limit", params | {"limit": wanted.limit}
