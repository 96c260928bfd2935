"""Tools of kind `http`: one request, shaped by templates, with its answer shaped by JMESPath."""

from __future__ import annotations

from headgate.core.kind import Kind
from headgate.tools.http.checks import check
from headgate.tools.http.spec import HttpSpec
from headgate.tools.http.tool import HttpTool, open_tool

KIND: Kind[HttpSpec, HttpTool] = Kind("http", "One HTTP request.", HttpSpec, open_tool, check)
"""The registration of the kind."""
