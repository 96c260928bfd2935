"""Pins: what was approved of the tools of an MCP server, and how what it lists now differs.

A server can change what its tools say and take after a person has looked at them. A pin is a digest over the server's
name and all that a model or a check goes by: name, title, description, both schemas, annotations. The tools of a server
that is seen for the first time are approved as they are; from then on one that is new or other than approved is held.
Nothing here is kept: where approvals are is for the caller.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from typing import Any, Literal

from headgate.mcp.listing import ListedTool, Listing
from headgate.mcp.spec import Approved

Mode = Literal["off", "warn", "block"]
State = Literal["approved", "changed", "new", "gone"]


@dataclass(frozen=True, slots=True)
class Pin:
    """One tool as it was approved; `definition` is what the digest is of, in the words of the protocol."""

    tool: str
    digest: str
    definition: Mapping[str, Any] = field(default_factory=dict, hash=False)


Pins = Mapping[str, Pin]
"""Approved tools of one server, by their names."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """How one tool stands to its pin. `offered` says whether agents may have it."""

    tool: str
    state: State
    offered: bool
    before: Pin | None = None
    after: Pin | None = None

    @property
    def held(self) -> bool:
        """Whether somebody has to look at it."""
        return self.state in ("changed", "new")

    @property
    def diff(self) -> str:
        """What is other than approved, as a unified diff of the definitions."""
        return difference(self.before, self.after)


def pin_of(server: str, tool: ListedTool) -> Pin:
    """The pin of a tool as it is listed now."""
    definition = {
        "title": tool.title,
        "description": tool.description,
        "inputSchema": tool.input_schema,
        "outputSchema": tool.output_schema,
        "annotations": asdict(tool.stated),
    }
    return Pin(tool.name, _digest([server, tool.name, definition]), definition)


def pins_of(server: str, listing: Listing) -> dict[str, Pin]:
    """The pins of all that the server lists now, whether or not `allow` and `deny` let it be offered."""
    return {name: pin_of(server, tool) for name, tool in sorted(listing.tools.items())}


def recorded(approved: Approved | None) -> dict[str, Pin] | None:
    """The pins of what a manifest or an overlay document says was approved."""
    if approved is None:
        return None
    return {name: Pin(name, each.digest, _defined(each.definition)) for name, each in approved.tools.items()}


def record(pins: Pins) -> dict[str, Any]:
    """The body of the document that says that these are approved. A dollar sign is escaped: what a server says must not
    look like a reference."""
    tools = {
        name: {"digest": pin.digest, "definition": json.dumps(pin.definition, sort_keys=True).replace("$", "\\u0024")}
        for name, pin in pins.items()
    }
    return {"tools": tools}


def _defined(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def set_digest(pins: Pins) -> str:
    """One digest of a whole set of tools: that of the approval that a person gives, which another set does not have."""
    return _digest([[name, pins[name].digest] for name in sorted(pins)])


def judge(mode: Mode, server: str, listing: Listing, approved: Pins | None) -> tuple[Verdict, ...]:
    """How the tools that are listed stand to those that were approved, by name; None is a server seen for the first
    time. Only `block` takes anything away, and tools that are gone are not offered in any mode."""
    now = pins_of(server, listing)
    known = now if approved is None else approved
    return tuple(_verdict(mode, known.get(name), now.get(name)) for name in sorted({*now, *known}))


def _verdict(mode: Mode, before: Pin | None, after: Pin | None) -> Verdict:
    if after is None:
        assert before is not None
        return Verdict(before.tool, "gone", offered=False, before=before)
    if before is not None and before.digest == after.digest:
        return Verdict(after.tool, "approved", offered=True, before=before, after=after)
    state: State = "new" if before is None else "changed"
    return Verdict(after.tool, state, offered=mode != "block", before=before, after=after)


def held(verdicts: tuple[Verdict, ...]) -> Iterator[Verdict]:
    """Those that somebody has to look at."""
    return (each for each in verdicts if each.held)


def difference(before: Pin | None, after: Pin | None) -> str:
    """The two definitions as a unified diff. All but ASCII is escaped: a look-alike or an invisible letter shows."""
    lines = difflib.unified_diff(_lines(before), _lines(after), "approved", "listed", lineterm="")
    return "\n".join(lines)


def _lines(pin: Pin | None) -> list[str]:
    if pin is None:
        return []
    return json.dumps({"name": pin.tool, **pin.definition}, indent=2, sort_keys=True).splitlines()


def _digest(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return sha256(text.encode()).hexdigest()
