"""A small MCP server over stdio for tests: it can be told to die, to hang, and to change what it lists.

Run as a program of its own, with the standard library alone, so that it starts in no time. It speaks the protocol of
2025-11-25, that of 2026-07-28, or both:

    python mcp_stdio.py [--era legacy|modern|both] [--strict] [--silent] [--stubborn] [--tools N] [--pages N]
                        [--list FILE] [--pids FILE] [--child] [--bad]
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from headgate.testing.mcp_stdio_library import Library
from headgate.testing.mcp_stdio_questions import Asker
from headgate.testing.mcp_stdio_tools import NONE, PIXEL, TOOLS, tool

LEGACY, MODERN = "2025-11-25", "2026-07-28"
INFO = {"name": "mcp-stdio-fake", "version": "1"}


class Server(Library):
    """Answers messages; calls that take time run in threads of their own."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.tools = dict(TOOLS)
        for number in range(options.tools):
            self.tools[f"more_{number:04d}"] = tool(f"more_{number:04d}", "One of many.")
        self.lock = threading.Lock()
        self.stopped: set[Any] = set()
        self.cancelled = 0
        self.listeners: list[Any] = []
        self.modern = False
        self.hung = False
        self.asker = Asker(self.send)

    def send(self, **message: Any) -> None:
        """Writes one message."""
        with self.lock:
            sys.stdout.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
            sys.stdout.flush()

    def result(self, identity: Any, **result: Any) -> None:
        """Answers a request."""
        if self.modern:
            result = {"resultType": "complete", **result, "_meta": {"io.modelcontextprotocol/serverInfo": INFO}}
        self.send(id=identity, result=result)

    def error(self, identity: Any, code: int, message: str, **data: Any) -> None:
        """Refuses a request."""
        self.send(id=identity, error={"code": code, "message": message, **({"data": data} if data else {})})

    def handle(self, message: dict[str, Any]) -> None:
        """Deals with one message."""
        method, identity, params = message.get("method", ""), message.get("id"), message.get("params") or {}
        if self.hung or self.options.silent:
            return
        if self.options.strict and not self.modern and method == "server/discover":
            sys.exit(3)
        if not method:
            self.asker.answered(message)
            return
        handler = getattr(self, "on_" + method.replace("/", "_"), None)
        if handler is not None:
            handler(identity, params)
        elif identity is not None and method:
            self.error(identity, -32601, f"Method not found: {method}")

    def on_server_discover(self, identity: Any, _params: dict[str, Any]) -> None:
        """The handshake of 2026-07-28."""
        if self.options.era == "legacy":
            self.error(identity, -32601, "Method not found: server/discover")
            return
        self.modern = True
        self.result(identity, supportedVersions=[MODERN], ttlMs=0, cacheScope="private",
                    capabilities={"tools": {"listChanged": True}, "prompts": {}, "resources": {}})  # fmt: skip

    def on_initialize(self, identity: Any, _params: dict[str, Any]) -> None:
        """The handshake of 2025-11-25."""
        if self.options.era == "modern":
            self.error(identity, -32022, "Unsupported protocol version", supported=[MODERN], requested=LEGACY)
            return
        self.result(identity, protocolVersion=LEGACY, serverInfo=INFO,
                    capabilities={"tools": {"listChanged": True}, "prompts": {}, "resources": {}})  # fmt: skip

    def on_tools_list(self, identity: Any, params: dict[str, Any]) -> None:
        """One page of the list."""
        names = [*self.tools, *self._extra()]
        start = int(params.get("cursor") or 0)
        end = start + self.options.pages
        shown: list[Any] = [self.tools.get(name) or tool(name, "From the file.") for name in names[start:end]]
        if self.options.bad and start == 0:
            shown += [
                {"name": "broken", "inputSchema": {"type": "string"}}, {"name": "wrong", "inputSchema": {
                    "type": "object", "properties": {"x": {"type": "nonsense"}}}},
                {"name": "hidden", "description": "Visible\u200b\u202e\u0007.\U000e0041", "inputSchema": NONE},
            ]  # fmt: skip
        more = {"nextCursor": str(end)} if end < len(names) else {}
        cached = {"ttlMs": 0, "cacheScope": "private"} if self.modern else {}
        self.result(identity, tools=shown, **more, **cached)

    def _extra(self) -> list[str]:
        """Names in the file that says what else is listed."""
        path = Path(self.options.list) if self.options.list else None
        return path.read_text().split() if path is not None and path.exists() else []

    def on_subscriptions_listen(self, identity: Any, _params: dict[str, Any]) -> None:
        """Keeps a stream of changes open."""
        self.listeners.append(identity)
        meta = {"io.modelcontextprotocol/subscriptionId": identity}
        self.send(method="notifications/subscriptions/acknowledged",
                  params={"notifications": {"toolsListChanged": True}, "_meta": meta})  # fmt: skip

    def on_notifications_cancelled(self, _identity: Any, params: dict[str, Any]) -> None:
        """A call is not wanted any more."""
        self.stopped.add(params.get("requestId"))

    def on_tools_call(self, identity: Any, params: dict[str, Any]) -> None:
        """Runs a call."""
        threading.Thread(target=self._call, args=(identity, params), daemon=True).start()

    def _call(self, identity: Any, params: dict[str, Any]) -> None:
        args, name = params.get("arguments") or {}, params.get("name", "")
        if name in self._extra():
            self.say(identity, name)
            return
        call = getattr(self, f"call_{name}", None)
        if name not in self.tools or call is None:
            self.error(identity, -32602, f"Unknown tool: {name}")
            return
        call(identity, args, params)

    def say(self, identity: Any, text: str, **more: Any) -> None:
        """Answers a call with a text."""
        self.result(identity, content=[{"type": "text", "text": text}], **more)

    def changed(self) -> None:
        """Says that the list is another one."""
        if self.modern:
            for each in self.listeners:
                meta = {"io.modelcontextprotocol/subscriptionId": each}
                self.send(method="notifications/tools/list_changed", params={"_meta": meta})
        else:
            self.send(method="notifications/tools/list_changed")


class Calls(Server):
    """The tools."""

    def call_echo(self, identity: Any, args: dict[str, Any], _params: Any) -> None:
        self.say(identity, str(args.get("text")))

    def call_add(self, identity: Any, args: dict[str, Any], _params: Any) -> None:
        total = args["a"] + args["b"]
        self.say(identity, json.dumps({"sum": total}), structuredContent={"sum": total})

    def call_pid(self, identity: Any, _args: Any, _params: Any) -> None:
        self.say(identity, str(os.getpid()))

    def call_env(self, identity: Any, _args: Any, _params: Any) -> None:
        self.say(identity, " ".join(sorted(os.environ)))

    def call_sleep(self, identity: Any, args: dict[str, Any], params: dict[str, Any]) -> None:
        token = (params.get("_meta") or {}).get("progressToken")
        steps = max(1, int(args["seconds"] / 0.02))
        for step in range(steps):
            if identity in self.stopped:
                self.cancelled += 1
                return
            if token is not None and step == 0:
                told = {"progressToken": token, "progress": 1, "total": steps, "message": "half asleep"}
                self.send(method="notifications/progress", params=told)
            time.sleep(0.02)
        self.say(identity, f"slept {args['seconds']} s")

    def call_cancelled(self, identity: Any, _args: Any, _params: Any) -> None:
        self.say(identity, str(self.cancelled))

    def call_die(self, _identity: Any, _args: Any, _params: Any) -> None:
        os._exit(1)

    def call_hang(self, _identity: Any, _args: Any, _params: Any) -> None:
        self.hung = True

    def call_fail(self, identity: Any, args: dict[str, Any], _params: Any) -> None:
        self.say(identity, str(args["text"]), isError=True)

    def call_refuse(self, identity: Any, _args: Any, _params: Any) -> None:
        self.error(identity, -32000, "not today")

    def call_parts(self, identity: Any, _args: Any, _params: Any) -> None:
        self.result(identity, content=[
            {"type": "text", "text": "one"},
            {"type": "text", "text": "two"},
            {"type": "image", "data": PIXEL, "mimeType": "image/png"},
            {"type": "resource_link", "name": "notes", "uri": "memo://notes", "mimeType": "text/plain"},
            {"type": "resource", "resource": {"uri": "memo://a", "mimeType": "text/plain", "text": "inside"}},
            {"type": "resource", "resource": {"uri": "memo://b.bin", "blob": "AAEC"}},
        ])  # fmt: skip

    def call_table(self, identity: Any, _args: Any, _params: Any) -> None:
        rows = {"rows": [1, 2]}
        self.say(identity, json.dumps(rows), structuredContent=rows)

    def call_grow(self, identity: Any, args: dict[str, Any], _params: Any) -> None:
        name = args["name"]
        self.tools[name] = tool(name, "A new one.")
        self.changed()
        self.say(identity, name)

    def call_shrink(self, identity: Any, args: dict[str, Any], _params: Any) -> None:
        self.tools.pop(args["name"], None)
        self.changed()
        self.say(identity, args["name"])

    def call_ask(self, identity: Any, _args: Any, params: dict[str, Any]) -> None:
        answers = params.get("inputResponses")
        if answers is None:
            form = {"message": "Really?", "requestedSchema": {"type": "object", "properties": {}}, "mode": "form"}
            wanted = {"ok": {"method": "elicitation/create", "params": form}}
            self.send(id=identity, result={"resultType": "input_required", "inputRequests": wanted,
                                           "requestState": "s"})  # fmt: skip
        else:
            self.say(identity, json.dumps(answers["ok"].get("action")))

    def call_inquire(self, identity: Any, args: dict[str, Any], params: dict[str, Any]) -> None:
        if self.modern:
            result, asks = self.asker.interrupted(args, params)
            if asks:
                self.send(id=identity, result=result)
                return
        else:
            held = self.asker.held(args, lambda: identity in self.stopped)
            if held is None:
                self.cancelled += 1
                return
            result = held
        self.say(identity, json.dumps(result), structuredContent=result)

    def call_complain(self, identity: Any, args: dict[str, Any], _params: Any) -> None:
        sys.stderr.write(f"{args['text']}\n")
        sys.stderr.flush()
        self.say(identity, "complained")

    def call_flood(self, identity: Any, args: dict[str, Any], _params: Any) -> None:
        self.say(identity, "x" * args["bytes"])


def main() -> None:
    """Serves until its input ends."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--era", default="both")
    for name in ("--strict", "--silent", "--stubborn", "--child", "--bad"):
        parser.add_argument(name, action="store_true")
    parser.add_argument("--tools", type=int, default=0)
    parser.add_argument("--pages", type=int, default=100)
    parser.add_argument("--list", default="")
    parser.add_argument("--pids", default="")
    options = parser.parse_args()
    pids = [os.getpid()]
    if options.child:
        pids.append(subprocess.Popen(["sleep", "600"]).pid)
    if options.pids:
        with Path(options.pids).open("a") as file:
            file.write("".join(f"{pid}\n" for pid in pids))
    if options.stubborn:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    server = Calls(options)
    for line in sys.stdin:
        if line.strip():
            server.handle(json.loads(line))
    while options.stubborn:
        time.sleep(1)


if __name__ == "__main__":
    main()
