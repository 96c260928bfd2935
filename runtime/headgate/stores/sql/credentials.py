"""Encrypted texts of people in SQL; see `CredentialLedger`."""

from __future__ import annotations

from collections.abc import Sequence

from headgate.stores.credentials import CredentialKey, CredentialRecord
from headgate.stores.sql.database import Database, Row, Statement
from headgate.stores.sql.rows import Params, bind, columns
from headgate.stores.sql.statements import insert, select

_FIELDS = CredentialRecord.__struct_fields__
_KEY = "kind = :kind AND owner = :owner AND name = :name"
_ALL = select("credentials", _FIELDS)
_ONE = f"{_ALL} WHERE {_KEY}"
_PUT = f"""
{insert("credentials", _FIELDS)}
ON CONFLICT (kind, owner, name) DO UPDATE SET
    sealed = :sealed, revision = credentials.revision + 1, updated_at = :updated_at, expires_at = :expires_at
"""
_CHANGE = (
    f"UPDATE credentials SET sealed = :sealed, revision = revision + 1, updated_at = :at"
    f" WHERE {_KEY} AND revision = :revision"
)
_RESEAL = f"UPDATE credentials SET sealed = :sealed WHERE {_KEY} AND revision = :revision"
_TAKE = f"DELETE FROM credentials WHERE {_KEY} RETURNING {', '.join(_FIELDS)}"
_FORGET = f"DELETE FROM credentials WHERE {_KEY}"
_EXPIRE = "DELETE FROM credentials WHERE expires_at <= :now"


class SqlCredentials:
    """Fulfils `CredentialLedger`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def credential(self, key: CredentialKey, /) -> CredentialRecord | None:
        """See `CredentialLedger.credential`."""
        return _first(await self._database.read(_ONE, **_key(key)))

    async def credentials(self) -> tuple[CredentialRecord, ...]:
        """See `CredentialLedger.credentials`."""
        return tuple(map(_record, await self._database.read(f"{_ALL} ORDER BY kind, owner, name")))

    async def put_credential(self, record: CredentialRecord, /) -> None:
        """See `CredentialLedger.put_credential`."""
        await self._database.write(Statement(_PUT, (columns(record),)))

    async def change_credential(self, key: CredentialKey, sealed: str, revision: int, at: float, /) -> bool:
        """See `CredentialLedger.change_credential`."""
        row = _key(key) | {"sealed": bind(sealed), "revision": revision, "at": at}
        (done,) = await self._database.write(Statement(_CHANGE, (row,)))
        return done == 1

    async def reseal_credential(self, key: CredentialKey, sealed: str, revision: int, /) -> bool:
        """See `CredentialLedger.reseal_credential`."""
        row = _key(key) | {"sealed": bind(sealed), "revision": revision}
        (done,) = await self._database.write(Statement(_RESEAL, (row,)))
        return done == 1

    async def take_credential(self, key: CredentialKey, /) -> CredentialRecord | None:
        """See `CredentialLedger.take_credential`."""
        return _first(await self._database.change(Statement(_TAKE, (_key(key),))))

    async def forget_credentials(self, keys: Sequence[CredentialKey], now: float, /) -> int:
        """See `CredentialLedger.forget_credentials`."""
        forgotten = [Statement(_FORGET, (_key(key),)) for key in keys]
        return sum(await self._database.write(*forgotten, Statement(_EXPIRE, ({"now": now},))))


def _key(key: CredentialKey) -> Params:
    return dict(zip(("kind", "owner", "name"), map(bind, key), strict=True))


def _first(rows: list[Row]) -> CredentialRecord | None:
    return _record(rows[0]) if rows else None


def _record(row: Row) -> CredentialRecord:
    return CredentialRecord(**dict(zip(_FIELDS, row, strict=True)))
