"""Tools of kind `function`: a Python function of a package that the gateway's manifest allows."""

from __future__ import annotations

from headgate.core.kind import Kind
from headgate.tools.function.spec import FunctionSpec, check, hinted
from headgate.tools.function.tool import FunctionTool, open_tool

KIND: Kind[FunctionSpec, FunctionTool] = Kind(
    "function", "A Python function.", FunctionSpec, open_tool, check, arguments=hinted
)
"""The registration of the kind."""
