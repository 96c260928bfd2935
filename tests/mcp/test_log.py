"""What the log has of a server: no secrets, also not in what the server says itself."""

from __future__ import annotations

import sys

import structlog

from headgate.mcp.murmur import LINES, WINDOW, Murmur
from headgate.mcp.spec import Mcp, ServerSpec
from tests.mcp.servers import opened
from tests.waiting import until

SECRET = "secret-of-the-program"
REFUSES = """
import json, os, sys
for line in sys.stdin:
    said = json.loads(line)
    if "id" in said:
        error = {"code": -32600, "message": "no entry with " + os.environ["TOKEN"]}
        print(json.dumps({"jsonrpc": "2.0", "id": said["id"], "error": error}), flush=True)
"""


def running(code: str, **keys: object) -> ServerSpec:
    """A program of these lines."""
    return Mcp().effective(ServerSpec.model_validate({"command": sys.executable, "args": ["-c", code], **keys}))


async def test_a_refusal_that_repeats_a_secret_is_logged_without_it() -> None:
    """The server puts its token into its error; the log has the error with the token blotted out."""
    spec = running(REFUSES, env={"TOKEN": SECRET})
    with structlog.testing.capture_logs() as logged:
        async with opened(spec, scrub=lambda text: text.replace(SECRET, "[redacted]")) as upstream:
            await until(lambda: upstream.health.error is not None)
    lost = [each["reason"] for each in logged if each["event"] == "mcp.lost"]
    assert any("no entry with [redacted]" in each for each in lost)
    assert SECRET not in str(logged)


def test_a_server_that_writes_without_end_does_not_fill_the_log() -> None:
    """A window has so many lines; how many were left out is told when the next begins, and at the end."""
    now = 0.0
    heard = Murmur("noisy", str, lambda: now)
    with structlog.testing.capture_logs() as logged:
        for number in range(LINES + 50):
            heard(f"line {number}")
        now = WINDOW
        heard("\x1b[31mlater\x1b[0m")
        heard(" ")
        heard.flush()
    assert [each["line"] for each in logged if each["event"] == "mcp.stderr"] == [
        *(f"line {number}" for number in range(LINES)), "[31mlater[0m",
    ]  # fmt: skip
    assert [each["lines"] for each in logged if each["event"] == "mcp.stderr_left_out"] == [50]
