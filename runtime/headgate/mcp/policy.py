"""`[mcp.policy]`: whether a server may be configured at all, whoever configures it."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import SplitResult, urlsplit

from headgate.core.glob import covers
from headgate.core.kind import Finding
from headgate.mcp.spec import Policy, ServerSpec

_PORTS = {"http": 80, "https": 443}


def refusals(policy: Policy, spec: ServerSpec) -> Iterator[Finding]:
    """What the policy has against the server, by the key of the server that is to blame."""
    if spec.command is not None and policy.commands is not None and not _runs(policy, spec.command):
        message = f"[mcp.policy] does not let servers run {spec.command!r}"
        yield Finding(("command",), "HG1405", message, _allowed(policy.commands))
    program = spec.auth.program if spec.auth is not None else None
    if program is not None and policy.commands is not None and not _runs(policy, program):
        message = f"[mcp.policy] does not let servers run {program!r}"
        yield Finding(("auth", "argv", 0), "HG1405", message, _allowed(policy.commands))
    if spec.url is not None and policy.urls is not None and not any(_fits(each, spec.url) for each in policy.urls):
        message = f"[mcp.policy] does not let servers have the URL {spec.url!r}"
        yield Finding(("url",), "HG1405", message, _allowed(policy.urls))


def _allowed(globs: tuple[str, ...]) -> str:
    return f"it allows {', '.join(globs)}" if globs else "it allows none"


def _runs(policy: Policy, command: str) -> bool:
    return any(covers(pattern, command) for pattern in policy.commands or ())


def _fits(pattern: str, url: str) -> bool:
    """Scheme, host, port and path apart, so that no `*` of one reaches into another."""
    want, have = urlsplit(pattern), urlsplit(url)
    if not covers(want.scheme, have.scheme) or not covers(_host(want), _host(have)):
        return False
    if _port(want) != _port(have) and want.scheme != "*":
        return False
    path = f"{have.path or '/'}{'?' + have.query if have.query else ''}"
    return want.path in ("", "/") or covers(want.path + ("?" + want.query if want.query else ""), path)


def _host(url: SplitResult) -> str:
    host = url.netloc.rpartition("@")[2].lower()
    name, _, port = host.rpartition(":")
    return name if name and port.isdigit() else host


def _port(url: SplitResult) -> int | None:
    port = url.netloc.rpartition(":")[2]
    return int(port) if port.isdigit() else _PORTS.get(url.scheme)
