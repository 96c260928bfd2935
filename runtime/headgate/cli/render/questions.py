"""The words for what a run asks of people.

Whoever answers must see all of it as it is: no argument is cut, and what cannot be seen is written out.
"""

from __future__ import annotations

import json
from typing import Any

from headgate.cli.render.words import flat
from headgate.core.events import ApprovalRequested, ApprovalResolved, InputRequested, InputResolved


def approval(event: ApprovalRequested, now: float) -> list[str]:
    """A call that waits for an approval: the tool, the arguments with the labels of its manifest, and the time left."""
    policy = f" (policy {event.policy})" if event.policy else ""
    qualifier = f", for {exact(event.qualifier)}" if event.qualifier else ""
    votes = f"; {event.quorum} approvals are needed" if event.quorum > 1 else ""
    shown = event.shown or tuple({"label": name, "value": value} for name, value in event.args.items())
    rows = [f"    {_label(each)}: {exact(each.get('value'))}" for each in shown]
    return [
        f"? {flat(event.name, 64)} needs an approval{qualifier}{policy}",
        *(rows or ["    (no arguments)"]),
        f"    {left(event.expires_at - now)} left to answer{votes}",
    ]


def unknown(event: InputRequested, now: float) -> list[str]:
    """A call that was cut off: nobody knows whether it took effect."""
    rows = [f"    {exact(name)}: {exact(value)}" for name, value in event.args.items()]
    return [
        f"? {flat(event.name, 64)} was cut off, and it is not known whether it took effect",
        *rows,
        f"    {left(event.expires_at - now)} left to answer",
    ]


def asked(event: InputRequested, now: float) -> list[str]:
    """What an MCP server asks: its own words, which say nothing for the gateway."""
    said = [f"    | {exact(line)[1:-1]}" for line in event.message.splitlines()]
    where = [f"    | {event.url}"] if event.url is not None else []
    return [
        f"? MCP server {flat(event.server or '', 64)} asks you, for {flat(event.name, 64)}; these are its own words:",
        *said,
        *where,
        f"    {left(event.expires_at - now)} left to answer; what you enter goes to the server",
    ]


def settled(event: InputResolved) -> str:
    """What a server was told, without what was entered."""
    by = f" by {flat(event.by, 64)}" if event.by else ""
    what = {"accept": "answered", "decline": "declined", "cancel": "dismissed"}.get(event.action, event.state)
    reason = f": {flat(event.reason, 400)}" if event.reason else ""
    return f"{'✓' if event.action == 'accept' else '✗'} {flat(event.name, 64)}: {what}{by}{reason}"


def declined(event: InputRequested) -> str:
    """A call that a front end would have to execute."""
    return f"{flat(event.name, 64)} is for a front end to execute, which this command is not; the model is told so"


def resolved(event: ApprovalResolved) -> str:
    """How a question was settled, by whom and why."""
    by = f" by {flat(event.by, 64)}" if event.by else ""
    reason = f": {flat(event.reason, 400)}" if event.reason else ""
    return f"{'✓' if event.state == 'approved' else '✗'} {flat(event.name, 64)}: {event.state}{by}{reason}"


def left(seconds: float) -> str:
    """A time in its two greatest units."""
    whole = max(0, int(seconds))
    if whole >= 172_800:
        return f"{whole // 86_400} days"
    if whole >= 3600:
        return f"{whole // 3600} h {whole % 3600 // 60} min"
    return f"{whole // 60} min {whole % 60} s" if whole >= 60 else f"{whole} s"


def exact(value: Any) -> str:
    """A value as JSON in one line, with every character that cannot be seen as its escape: marks that turn the
    direction of writing, spaces without width, and the like."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return "".join(each if each.isprintable() else json.dumps(each)[1:-1] for each in text)


def _label(shown: dict[str, Any]) -> str:
    return exact(str(shown.get("label", "")))[1:-1]
