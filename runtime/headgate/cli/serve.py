"""`headgate serve`: the gateway, until a signal."""

from __future__ import annotations

import sys
from pathlib import Path

import click
import uvloop

from headgate.boot import Gateway, Place
from headgate.boot import serve as run
from headgate.compile.checks.keys import DEMO_KEYS
from headgate.logs import configure
from headgate.settings import Settings

SWITCH_INTERVAL = 0.0005
"""Seconds. The thread of the ledger asks for the interpreter many times a commit, and may wait so long each time; so
may the event loop while a thread compiles."""


@click.command()
@click.argument("tree", type=click.Path(file_okay=False, path_type=Path), required=False)
@click.option("--host", help="Address to bind; [server] host when it is not given.")
@click.option("--port", type=click.IntRange(0, 65535), help="TCP port; [server] port when it is not given.")
def serve(tree: Path | None, host: str | None, port: int | None) -> None:
    """Serve the manifests of TREE (the working directory when it is not given)."""
    sys.setswitchinterval(SWITCH_INTERVAL)
    settings = Settings()
    output = configure(settings.log_level)
    place = Place(
        tree=(tree or settings.tree).resolve(),
        state=settings.state_dir,
        host=host or settings.host,
        port=port if port is not None else settings.port,
    )

    def announce(gateway: Gateway, port: int) -> None:
        output.scrub = lambda text: gateway.snapshot.scrub(text)
        _announce(gateway, port)

    uvloop.run(run(place, announce))


def _announce(gateway: Gateway, port: int) -> None:
    """Prints what to try."""
    shown = f"[{gateway.host}]" if ":" in gateway.host else gateway.host
    url = f"http://{shown}:{port}"
    held = gateway.snapshot.gateway.auth.keys.values()
    keys = [each.key for each in held if each.key is not None and each.digest in DEMO_KEYS]
    key = keys[0] if keys else "$HEADGATE_KEY"
    quoted = key if keys else f"'\"{key}\"'"  # a variable within single quotes
    demo = "\n(no model provider is configured: answers come from a script; set ANTHROPIC_API_KEY for a real one)"
    click.echo(
        f"""
Headgate serves {len(gateway.snapshot.agents)} agents on {url}{demo if gateway.snapshot.demo else ""}

Try it:
  TOKEN=$(curl -s {url}/api/chat/init -H 'Content-Type: application/json' \\
    -d '{{"api_key":"{quoted}"}}' | python3 -c 'import json,sys; print(json.load(sys.stdin)["session_token"])')
  curl -N {url}/api/chat -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' \\
    -d '{{"messages":[{{"role":"user","content":"Which agents do you run, and is everything healthy?"}}]}}'
  curl -s {url}/v1/status -H "Authorization: Bearer {key}"
"""
    )
