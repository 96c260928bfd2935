"""`[mcp.policy]`: which programs and URLs may be configured."""

from __future__ import annotations

import pytest

from headgate.mcp.policy import refusals
from headgate.mcp.spec import Policy, ServerSpec


@pytest.mark.parametrize(
    ("globs", "command", "allowed"),
    [(None, "bash", True), ((), "npx", False), (("npx",), "npx", True), (("npx",), "/tmp/npx", False),
     (("npx",), "npx2", False), (("/opt/*",), "/opt/server", True)],
)  # fmt: skip
def test_programs(globs: tuple[str, ...] | None, command: str, allowed: bool) -> None:
    """The program as it is named; without a list any."""
    found = list(refusals(Policy(commands=globs), ServerSpec(command=command)))
    assert found is not allowed
    assert all((each.key, each.code) == (("command",), "HG1405") for each in found)


@pytest.mark.parametrize(
    ("glob", "url", "allowed"),
    [
        ("https://*", "https://a.example.com/mcp", True),
        ("https://*", "http://a.example.com/mcp", False),
        ("https://*", "https://a.example.com:8443/mcp", False),
        ("https://*:8443", "https://a.example.com:8443/mcp", True),
        ("https://*.example.com", "https://a.example.com/mcp?x=1", True),
        ("https://*.example.com", "https://evil.com/.example.com", False),
        ("https://*.example.com", "https://evil.com/?x=a.example.com", False),
        ("https://a.example.com", "https://A.EXAMPLE.com/mcp", True),
        ("https://a.example.com/mcp*", "https://a.example.com/mcp/v1", True),
        ("https://a.example.com/mcp*", "https://a.example.com/other", False),
        ("http://127.0.0.1:9000", "http://127.0.0.1:9000/mcp", True),
        ("http://127.0.0.1:9000", "http://127.0.0.1:9001/mcp", False),
    ],
)
def test_urls(glob: str, url: str, allowed: bool) -> None:
    """Scheme, host, port and path are compared apart: a `*` of one does not reach into another."""
    assert list(refusals(Policy(urls=(glob,)), ServerSpec(url=url))) is not allowed
