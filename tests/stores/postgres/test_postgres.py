"""The ledger on PostgreSQL: the contract, and what meets only where several write at once."""

from __future__ import annotations

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from headgate.stores.sql.tables import metadata
from headgate.testing.ledger_kit import CONTRACTS
from tests.stores.postgres.conftest import migrated


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda contract: contract.__name__)
async def test_contract(contract, opener):
    """The statements keep every promise of the port here too."""
    await contract(opener)


async def test_metadata_agrees(server):
    """The migrations lead to the schema of the metadata."""

    def differences(connection):
        return compare_metadata(MigrationContext.configure(connection, opts={"compare_type": True}), metadata)

    assert await migrated(server, differences) == []
