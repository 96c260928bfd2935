"""What a server lists besides its tools: prompts, resources, and templates of resources."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import structlog
from mcp.client.client import Client
from mcp.shared.exceptions import MCPError
from pydantic import ValidationError

from headgate.mcp.paging import Noun, Raw, pages, unsaid

log = structlog.get_logger("headgate.mcp")


async def entries(client: Client, noun: Noun, say: Callable[[str], None] = unsaid) -> list[Raw]:
    """All entries, none where the server has no such thing; raises what the SDK does. `say` as for `pages`."""
    offered = client.server_capabilities
    if (offered.prompts if noun == "prompts" else offered.resources) is None:
        return []
    lists: dict[Noun, Callable[[str | None], Awaitable[Any]]] = {
        "prompts": lambda at: client.list_prompts(cursor=at, cache_mode="bypass"),
        "resources": lambda at: client.list_resources(cursor=at, cache_mode="bypass"),
        "resource_templates": lambda at: client.list_resource_templates(cursor=at, cache_mode="bypass"),
    }
    return await pages(lists[noun], noun, say)


async def names(client: Client, noun: Noun, say: Callable[[str], None]) -> tuple[str, ...]:
    """Their names or URIs; a server that fails at that still has its tools."""
    try:
        return tuple(str(each.get("uri", each.get("name"))) for each in await entries(client, noun, say))
    except (MCPError, ValidationError) as error:
        log.info("mcp.not_listed", what=noun, reason=type(error).__name__)
        return ()
