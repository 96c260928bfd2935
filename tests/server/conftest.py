"""What several tests of the server are given."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from headgate.testing.mcp_protected import OAuthHouse, oauth_house


@pytest.fixture
async def house() -> AsyncIterator[OAuthHouse]:
    """An authorization server, and an MCP server that takes its tokens only."""
    async with oauth_house() as made:
        yield made
