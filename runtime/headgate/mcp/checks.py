"""What can be wrong with one MCP server by itself: keys that do not go together."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from headgate.core.kind import Finding, Scope
from headgate.mcp.auth import kind_of
from headgate.mcp.spec import ServerSpec

_OF_PROGRAMS = ("args", "env", "cwd")
_OF_URLS = ("headers", "auth")


def check(spec: ServerSpec, scope: Scope) -> Iterator[Finding]:
    """A server is a program or a URL, and has no keys of the other."""
    yield from _place(spec)
    local = spec.kind == "stdio"
    for key in _OF_URLS if local else _OF_PROGRAMS:
        if key in spec.model_fields_set:
            noun, other = ("program", "url") if local else ("URL", "command")
            message = f"{key!r} means nothing for a server that is a {noun}"
            yield Finding((key,), "HG1003", message, f"it belongs to servers with {other!r}")
    if spec.auth is not None and any(name.lower() == spec.auth.sets.lower() for name in spec.headers):
        message = f"the server has the header {spec.auth.sets!r} in 'headers', and 'auth' sets it too"
        yield Finding(("auth",), "HG1003", message, "keep one of them")
    if spec.auth is not None and not local:
        for found in kind_of(spec.auth).check(spec.auth):
            yield replace(found, key=("auth", *found.key))
    if scope.name.endswith("_") and spec.prefix is None:
        message = f"the tools of {scope.name!r} cannot be told apart from another server's: its name ends in '_'"
        yield Finding((), "HG1004", message, "give it a 'prefix', or another name")


def _place(spec: ServerSpec) -> Iterator[Finding]:
    if spec.command is None and spec.url is None:
        yield Finding((), "HG1005", "an MCP server needs 'command' or 'url'", "write the program to run, or the URL")
    elif spec.command is not None and spec.url is not None:
        yield Finding(("url",), "HG1003", "an MCP server has either 'command' or 'url'", "remove one of them")
    elif spec.kind == "stdio" and spec.command is None:
        yield Finding(("transport",), "HG1004", "transport 'stdio' needs 'command'", "write the program to run")
    elif spec.kind != "stdio" and spec.url is None:
        message = f"transport {spec.kind!r} needs 'url'"
        yield Finding(("transport",), "HG1004", message, "write the URL, or leave the transport out")
