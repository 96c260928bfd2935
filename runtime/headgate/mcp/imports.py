"""Servers that another program's settings declare (`mcpServers`, as in `~/.claude.json`), in the words of `[mcp]`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

MAX_FILE = 64 << 20
"""Bytes of a settings file; such programs keep much else in it."""
MEMBER = "mcpServers"
_TRANSPORTS = {"http": "streamable_http", "streamable-http": "streamable_http", "streamable_http": "streamable_http"}
_TRANSPORTS |= {"sse": "sse", "stdio": "stdio"}
_KEPT = ("command", "args", "env", "url", "headers")
_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*(?::-[^}]*)?)\}|\$")


@dataclass(frozen=True, slots=True)
class Imported:
    """The servers of one file by name, as tables of `[mcp.servers]`; `ignored` are keys that have no meaning here."""

    servers: Mapping[str, dict[str, Any]] = field(default_factory=dict)
    ignored: tuple[str, ...] = ()
    fault: str = ""


def place(path: str, root: Path, environ: Mapping[str, str]) -> Path:
    """Where the file of an import is: `~` is the home directory, everything else begins at the tree."""
    if path == "~" or path.startswith("~/"):
        return Path(environ.get("HOME") or Path.home(), path[2:])
    return root / path


def read(path: Path) -> bytes:
    """The bytes of the file; raises `OSError`."""
    if not path.is_file():
        raise FileNotFoundError(0, "there is no such file")
    if path.stat().st_size > MAX_FILE:
        raise OSError(0, f"it is larger than {MAX_FILE >> 20} MiB")
    return path.read_bytes()


def take(data: bytes) -> Imported:
    """The servers in the file."""
    try:
        body = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return Imported(fault=f"it is not JSON: {error}")
    held = body.get(MEMBER) if isinstance(body, dict) else None
    if not isinstance(held, dict):
        return Imported(fault=f"it has no member {MEMBER!r}")
    servers, ignored = {}, []
    for name, raw in held.items():
        if isinstance(raw, dict):
            servers[name], more = _translated(raw)
            ignored += [f"{MEMBER}.{name}.{key}" for key in more]
    return Imported(servers, tuple(ignored))


def _translated(raw: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    out = {key: _references(raw[key]) for key in _KEPT if key in raw}
    ignored = [key for key in raw if key not in (*_KEPT, "type", "disabled")]
    transport = _TRANSPORTS.get(str(raw.get("type", "")))
    if transport is not None:
        out["transport"] = transport
    if raw.get("disabled") is True:
        out["enabled"] = False
    return out, ignored


def _references(value: Any) -> Any:
    """The value with `${VAR}` as `${env:VAR}`, and every other dollar sign as one that means itself."""
    if isinstance(value, str):
        return _VARIABLE.sub(lambda match: f"${{env:{match[1]}}}" if match[1] else "$$", value)
    if isinstance(value, dict):
        return {name: _references(each) for name, each in value.items()}
    return [_references(each) for each in value] if isinstance(value, list) else value
