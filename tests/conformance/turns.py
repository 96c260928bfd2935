"""Runs the clients of all scenarios, one after the other, each in a fork of one process that has imported everything.

    python -m tests.conformance.turns DESK

DESK is the path of the socket to which `turn.py` sends what it was started with. It serves until its input ends.
"""

from __future__ import annotations

import asyncio
import json
import os
import select
import socket
import sys
from typing import Any

from tests.conformance.mcp_client import play

AT_ONCE = 128
"""Clients that may wait for their turn; the suite starts all of them together."""
_SIZE = 1 << 20


def main(desk: str) -> None:
    """Serves."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(desk)
        listener.listen(AT_ONCE)
        print("ready", flush=True)  # noqa: T201
        while listener in select.select([listener, sys.stdin], [], [])[0]:
            visitor, _ = listener.accept()
            with visitor:
                _serve(visitor)


def _serve(visitor: socket.socket) -> None:
    message, streams, _, _ = socket.recv_fds(visitor, _SIZE, 2)
    if not message:
        return
    pid = os.fork()
    if pid == 0:
        _become(json.loads(message), streams)
    for stream in streams:
        os.close(stream)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    visitor.sendall(bytes([code & 0xFF]))


def _become(given: dict[str, Any], streams: list[int]) -> None:
    """The client of one scenario; does not return."""
    code = 70
    try:
        for number, stream in enumerate(streams, 1):
            os.dup2(stream, number)
        context = json.loads(given["context"] or "{}")
        code = asyncio.run(play(given["url"], given["scenario"], context))
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code)


if __name__ == "__main__":
    main(sys.argv[1])
