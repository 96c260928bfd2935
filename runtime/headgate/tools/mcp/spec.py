"""The manifest of a tool of kind `mcp`."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, StringConstraints

from headgate.core.scalars import Name
from headgate.tools.common import ToolSpec
from headgate.tools.trials import Data, Table, ToolTest

Argument = Annotated[str, Field(min_length=1)]


class McpTest(ToolTest):
    """One call of the tool with a canned answer, and what must come of it; the server is not asked."""

    judged: ClassVar[tuple[str, ...]] = ("expect", "error", "sent")

    response: Data = None
    """What the server answers: a text, or structured content."""
    sent: Table | None = None
    """The arguments that the server must be sent, all of them."""


class McpSpec(ToolSpec):
    """One tool of an MCP server, under a name of its own."""

    kind: Literal["mcp"]
    server: Name
    """The server, by its name in `[mcp.servers]`."""
    tool: Annotated[str, Field(min_length=1)]
    """The tool, as the server calls it."""
    description: Annotated[str, StringConstraints(strip_whitespace=True)] = ""
    """What the model reads; the server's own description if unstated."""
    preset: Table = {}
    """Arguments with a fixed value, which the model neither sees nor can change."""
    hide_arguments: tuple[Argument, ...] = ()
    """Arguments that the model does not see and that are not sent."""
    tests: tuple[McpTest, ...] = ()
    """Inline tests, which `headgate test` runs."""
    replace: bool = False
    """Whether the tool is offered instead of the server's own, which is offered to nobody then."""

    @property
    def input_schema(self) -> dict[str, Any]:
        """The schema that the manifest states; without one it is the server's, which is not known here."""
        return self.input or {"type": "object"}
