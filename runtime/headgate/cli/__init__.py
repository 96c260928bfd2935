"""The command line: human text on a terminal, JSON for machines; exit codes 0 fine, 1 findings or failure, 64 usage."""

from __future__ import annotations

import gc
import os
import sys
from importlib import import_module

import click

from headgate import __version__
from headgate.core.errors import GatewayError

USAGE = 64
COMMANDS = {
    "init": "headgate.cli.init:init",
    "serve": "headgate.cli.serve:serve",
    "validate": "headgate.cli.validate:validate",
    "test": "headgate.cli.test:test",
    "explain": "headgate.cli.explain:explain_command",
    "schema": "headgate.cli.schema:schema",
    "run": "headgate.cli.run:run",
    "chat": "headgate.cli.chat:chat",
    "approvals": "headgate.cli.approvals:approvals",
    "keys": "headgate.cli.keys:keys",
    "kill": "headgate.cli.kill:kill",
    "db": "headgate.cli.db:db",
    "audit": "headgate.cli.audit:audit",
    "usage": "headgate.cli.usage:usage_command",
    "pins": "headgate.cli.pins:pins",
    "mcp": "headgate.cli.mcp:mcp",
}
"""Where each command is; only the one that is given is imported, because together they take several times as long."""


class Commands(click.Group):
    """The commands of `COMMANDS`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names, sorted."""
        del ctx
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of a name, imported."""
        del ctx
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name].partition(":")
        command: click.Command = getattr(import_module(module), name)
        return command


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="headgate")
def cli() -> None:
    """Headgate: a manifest tree becomes streaming agents."""


def main() -> None:
    """The entry point of the `headgate` command."""
    # What is imported and read stays: looking for garbage in it every 700 objects is a tenth of a start.
    gc.set_threshold(50_000, 20, 20)
    try:
        code = cli.main(standalone_mode=False)
    except click.UsageError as error:
        error.show()
        code = USAGE
    except click.Abort:
        code = 1
    except BrokenPipeError:  # nobody reads any more, and what is left in the buffer must not fail once more
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 1
    except GatewayError as error:
        hint = getattr(error, "hint", "")
        click.echo(f"headgate: {error.message}{f'; {hint}' if hint else ''}", err=True)
        code = 1
    sys.exit(code if isinstance(code, int) else 0)
