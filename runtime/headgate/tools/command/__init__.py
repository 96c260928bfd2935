"""Tools of kind `command`: a program that is run without a shell, with an environment of its own."""

from __future__ import annotations

from headgate.core.kind import Kind
from headgate.tools.command.checks import check
from headgate.tools.command.spec import CommandSpec
from headgate.tools.command.tool import CommandTool, open_tool

KIND: Kind[CommandSpec, CommandTool] = Kind("command", "A program, without a shell.", CommandSpec, open_tool, check)
"""The registration of the kind."""
