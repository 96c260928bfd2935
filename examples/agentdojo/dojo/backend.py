"""The back end of the tools: an HTTP server on this machine that executes the functions of a suite."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from agentdojo.agent_pipeline.tool_execution import tool_result_to_str
from agentdojo.functions_runtime import FunctionCall, FunctionsRuntime

from dojo.cases import Case


class Backend:
    """Executes calls in the world of the case that is on, and keeps what it has executed."""

    def __init__(self) -> None:
        self.case: Case | None = None
        self.made: list[FunctionCall] = []

    def enter(self, case: Case) -> None:
        """From now on calls are made in this case's world."""
        self.case, self.made = case, []

    def call(self, name: str, args: dict[str, Any]) -> tuple[int, str]:
        """The status and the text of the answer to `POST /name`."""
        if self.case is None:
            return 503, "no case is on"
        self.made.append(FunctionCall(function=name, args=args))
        result, error = FunctionsRuntime(self.case.suite.tools).run_function(self.case.env, name, args)
        return (422, error) if error else (200, tool_result_to_str(result))


@contextmanager
def served(backend: Backend) -> Iterator[str]:
    """Serves the back end on a free port of the loopback address; yields its URL."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"] or 0))
            status, text = backend.call(self.path.strip("/"), json.loads(body or b"{}"))
            answer = text.encode()
            self.send_response(status)
            self.send_header("Content-Type", "text/plain; charset=utf-8")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            """Nothing is logged."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
