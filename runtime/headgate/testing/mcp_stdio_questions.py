"""How the fake MCP server over stdio asks a person: on the connection, or with a result that interrupts its call."""

from __future__ import annotations

import json
import threading
from typing import Any

FORM = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "title": "Your name", "minLength": 2},
        "age": {"type": "integer", "minimum": 0},
        "plan": {"type": "string", "enum": ["free", "gold"], "enumNames": ["Free", "Gold"], "default": "free"},
    },
    "required": ["name"],
}


def wanted(args: dict[str, Any], number: int) -> dict[str, Any]:
    """The parameters of one question: a form, or the address that the call names."""
    message = f"{args.get('message', 'Who are you?')} ({number})"
    if "url" in args:
        return {"mode": "url", "message": message, "url": args["url"], "elicitationId": f"e{number}"}
    return {"mode": "form", "message": message, "requestedSchema": args.get("schema", FORM)}


class Asker:
    """Knows which questions are open on the connection, and what was said to them."""

    def __init__(self, send: Any) -> None:
        self._send = send
        self._open: dict[str, threading.Event] = {}
        self._said: dict[str, Any] = {}
        self._lock = threading.Lock()
        self._count = 0
        self.made = 0

    def answered(self, message: dict[str, Any]) -> None:
        """A response has come."""
        waiting = self._open.get(str(message.get("id")))
        if waiting is not None:
            self._said[str(message["id"])] = message.get("result", {"error": message.get("error")})
            waiting.set()

    def ask(self, params: dict[str, Any], stopped: Any) -> dict[str, Any] | None:
        """What is said to one question; None when the call is not wanted any more."""
        with self._lock:
            self._count += 1
            identity = f"q{self._count}"
        waiting = self._open[identity] = threading.Event()
        self._send(id=identity, method="elicitation/create", params=params)
        while not waiting.wait(0.02):
            if stopped():
                return None
        said: dict[str, Any] = self._said.pop(identity)
        return None if stopped() else said

    def held(self, args: dict[str, Any], stopped: Any) -> dict[str, Any] | None:
        """All that is said, question after question, while the call is held."""
        self.made += 1
        got = {}
        if args.get("impatient"):
            self._send(id="nobody listens", method="elicitation/create", params=wanted(args, 1))
            return {"got": {}, "made": self.made}
        for number in range(1, args.get("questions", 1) * args.get("rounds", 1) + 1):
            said = self.ask(wanted(args, number), stopped)
            if said is None:
                return None
            got[f"q{number}"] = said
        return {"got": got, "made": self.made}

    def interrupted(self, args: dict[str, Any], params: dict[str, Any]) -> tuple[dict[str, Any], bool]:
        """A result that asks, or the last one, and which of them it is."""
        self.made += 1
        known: dict[str, Any] = json.loads(params.get("requestState", '{"round": 0, "got": {}}'))
        known["got"] |= params.get("inputResponses") or {}
        if known["round"] < args.get("rounds", 1):
            first = known["round"] * args.get("questions", 1) + 1
            known["round"] += 1
            asked: dict[str, Any] = {
                f"q{number}": {"method": "elicitation/create", "params": wanted(args, number)}
                for number in range(first, first + args.get("questions", 1))
            }
            for each in asked.values():
                each["params"].pop("elicitationId", None)
            state = json.dumps(known)
            return {"resultType": "input_required", "inputRequests": asked, "requestState": state}, True
        return {"got": known["got"], "made": self.made}, False
