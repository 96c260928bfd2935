"""People let the gateway use their own accounts of an MCP server: the whole way, against real servers."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from headgate.testing.harness import live
from headgate.testing.oauth_server import OAuthHouse, oauth_house
from tests.conftest import Tree
from tests.server.native import Caller
from tests.server.people import ANN, BOB, OWN, WHOAMI, called, crm, granted


@pytest.fixture
async def house() -> AsyncIterator[OAuthHouse]:
    async with oauth_house() as made:
        yield made


async def test_two_people_are_kept_apart(tree: Tree, house: OAuthHouse) -> None:
    """Each calls with the account that they granted, and nobody without one."""
    async with live(tree(WHOAMI, toml=crm(house)), watch=False) as gateway:
        ann, bob = Caller(gateway, ANN), Caller(gateway, BOB)
        await granted(ann, "ann@crm")
        assert await called(ann) == "ann@crm"
        assert await called(bob) == "auth_required"
        await granted(bob, "bob@crm")
        assert (await called(bob), await called(ann)) == ("bob@crm", "ann@crm")
        assert (await ann.ask("GET", OWN))["state"] == "granted"
        assert len(house.authority.tokens) == 2
