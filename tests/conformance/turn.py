"""What the conformance suite starts as a client: hands its scenario to `turns.py` and waits for its turn.

It needs nothing but the standard library, so that forty of them are started in no time.
"""

import json
import os
import socket
import sys

desk, url = sys.argv[1], sys.argv[-1]
given = {
    "url": url,
    "scenario": os.environ.get("MCP_CONFORMANCE_SCENARIO", ""),
    "context": os.environ.get("MCP_CONFORMANCE_CONTEXT", ""),
}
with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as visitor:
    visitor.connect(desk)
    socket.send_fds(visitor, [json.dumps(given).encode()], [1, 2])
    said = visitor.recv(1)
sys.exit(said[0] if said else 70)
