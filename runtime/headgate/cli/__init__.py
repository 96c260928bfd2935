"""The command line: human text on a terminal, JSON for machines; exit codes 0 fine, 1 findings or failure, 64 usage."""

from __future__ import annotations

import os
import sys

import click

from headgate import __version__
from headgate.cli.approvals import approvals
from headgate.cli.audit import audit
from headgate.cli.chat import chat
from headgate.cli.db import db
from headgate.cli.explain import explain_command
from headgate.cli.init import init
from headgate.cli.run import run
from headgate.cli.schema import schema
from headgate.cli.serve import serve
from headgate.cli.test import test
from headgate.cli.usage import usage_command
from headgate.cli.validate import validate
from headgate.core.errors import GatewayError

USAGE = 64


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="headgate")
def cli() -> None:
    """Headgate: a manifest tree becomes streaming agents."""


cli.add_command(init)
cli.add_command(serve)
cli.add_command(validate)
cli.add_command(test)
cli.add_command(explain_command)
cli.add_command(schema)
cli.add_command(run)
cli.add_command(chat)
cli.add_command(approvals)
cli.add_command(db)
cli.add_command(audit)
cli.add_command(usage_command)


def main() -> None:
    """The entry point of the `headgate` command."""
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
