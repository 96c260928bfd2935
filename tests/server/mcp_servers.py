"""What the tests of the admin API of MCP servers share."""

from __future__ import annotations

import os
import sys
from typing import Any

from headgate.testing.harness import KEY, Live
from tests.mcp.servers import FAKE
from tests.server.native import Caller, settled

PATH = "/v1/admin/mcp-servers"
FIELDS = {
    "id", "name", "transport", "command", "args", "url", "header_keys", "enabled", "credential_keys", "has_env",
    "auth_type", "tool_count", "connected", "created_at", "updated_at",
}  # fmt: skip
LOOPBACK = '[egress]\nallow = ["127.0.0.1"]\n'
QUICK = '[mcp]\nconnection_timeout = "1s"\n'
ECHO = "- {text: Asking, call: fs__echo, args: {text: hello}}\n- {text: Done}\n"


OAUTH: dict[str, Any] = {
    "name": "own",
    "transport": "streamable_http",
    "url": "http://127.0.0.1:9/mcp",
    "credentials": {
        "auth_type": "oauth2_client_credentials",
        "token_url": "http://127.0.0.1:9/token",
        "client_id": "me",
        "client_secret": "secret-of-a-client",
    },
}


def boss_of(gateway: Live) -> Caller:
    """The harness's key, which may do everything."""
    return Caller(gateway, KEY)


def program(name: str = "fs", *flags: str, **more: Any) -> dict[str, Any]:
    """The body of a server that is the fake over stdio."""
    return {"name": name, "transport": "stdio", "command": sys.executable, "args": [FAKE, *flags], **more}


def remote(url: str, name: str = "web", **more: Any) -> dict[str, Any]:
    """The body of a server at a URL."""
    return {"name": name, "transport": "streamable_http", "url": url, **more}


async def health(boss: Caller, name: str = "fs") -> dict[str, Any] | None:
    """What the status says of a server."""
    found = (await boss.ask("GET", "/v1/status"))["mcp_servers"]
    return next((dict(each) for each in found if each["name"] == name), None)


async def pid_of(boss: Caller, name: str = "fs") -> int:
    """The process of a server."""
    found = await health(boss, name)
    assert found is not None
    return int(found["pid"])


def alive(pid: int) -> bool:
    """Whether the process is there."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def echoed(boss: Caller) -> list[str]:
    """How the tool calls of one run of the agent ended."""
    run = await boss.begin()
    await settled(boss.live)
    events = await boss.told(run)
    return [each.data["result"]["status"] for each in events if each.event == "tool.completed"]


ITEMS: list[tuple[str, str, Any]] = [
    ("GET", "", None),
    ("PUT", "", {"enabled": False}),
    ("DELETE", "", None),
    ("POST", "/test", None),
    ("POST", "/refresh", None),
    ("GET", "/tools", None),
]
