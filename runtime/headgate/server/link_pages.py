"""The pages of links that people are sent: plain HTML without scripts, whose every text is escaped.

What people are shown comes from the manifest and the labels of the arguments; values are the model's, and are shown as
the data that they are, with characters that could hide something written out.
"""

from __future__ import annotations

import base64
import hashlib
import json
import time
import unicodedata
from datetime import UTC, datetime
from html import escape
from typing import Any

from litestar.response.base import ASGIResponse

from headgate.server.link_tokens import Link
from headgate.stores.waits import WaitRecord

_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:42rem;margin:3rem auto;padding:0 1rem}"
    "dt{font-weight:600;margin-top:.6rem}dd{margin:0}pre{white-space:pre-wrap;overflow-wrap:anywhere;margin:0}"
    "button{font:inherit;padding:.6rem 1.4rem}input{font:inherit;width:100%;box-sizing:border-box}"
)
_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()


def policy(*, form: str = "'self'") -> str:
    """The content security policy of a page whose form may be sent there."""
    style = f"style-src 'sha256-{_HASH}'"
    return f"default-src 'none'; {style}; form-action {form}; frame-ancestors 'none'; base-uri 'none'"


HEADERS = {
    "content-security-policy": policy(),
    # Not no-referrer: browsers would then post the form with `Origin: null`.
    "referrer-policy": "same-origin",
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "x-robots-tag": "noindex, nofollow",
}
_HIDING = frozenset({"Cc", "Cf", "Co", "Cs", "Zl", "Zp"})
"""Categories of characters that are not seen, or that change how others are shown."""
_VERBS = {"approve": "Approve", "deny": "Deny"}


def question(wait: WaitRecord, link: Link) -> ASGIResponse:
    """What is asked, and the one button of the link."""
    verb = _VERBS[link.decision]
    rows = [
        ("Tool", wait.tool), ("Agent", wait.agent), ("Asked for", wait.principal), ("Policy", wait.policy or ""),
        ("You answer as", link.key), ("Until", _time(min(link.expires_at, wait.expires_at))),
    ]  # fmt: skip
    if wait.quorum > 1:
        given = sum(vote.decision == "approve" for vote in wait.votes)
        rows.append(("Approvals", f"{given} of {wait.quorum}"))
    arguments = [(str(each["label"]), _value(each["value"])) for each in wait.shown]
    return page(
        f"{verb} this call?",
        f"<dl>{facts(rows)}</dl><h2>Arguments</h2><dl>{facts(arguments) or '<dd>none</dd>'}</dl>"
        '<form method="post"><p><label>Reason (the model reads it)<br><input name="reason" maxlength="500"></label></p>'
        f'<p><button type="submit">{verb}</button></p></form>',
    )


def page(title: str, body: str = "", status: int = 200, headers: dict[str, str] | None = None) -> ASGIResponse:
    """A page; `body` is HTML."""
    said = visible(title)
    html = (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{said}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head>'
        f"<body><h1>{said}</h1>{body}</body></html>"
    )
    whole = {**HEADERS, **(headers or {})}
    return ASGIResponse(body=html.encode(), status_code=status, media_type="text/html", headers=whole)


def paragraph(text: str) -> str:
    """A text as HTML."""
    return f"<p>{visible(text)}</p>"


def visible(text: str) -> str:
    """The text as HTML, with everything written out that would not be seen."""
    return escape("".join(_shown(char) for char in text))


def _shown(char: str) -> str:
    return f"\\u{ord(char):04x}" if char != "\n" and unicodedata.category(char) in _HIDING else char


def _value(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)


def facts(rows: list[tuple[str, str]]) -> str:
    """Names and texts as the inside of a list; what is empty is left out."""
    return "".join(f"<dt>{visible(name)}</dt><dd><pre>{visible(text)}</pre></dd>" for name, text in rows if text)


def _time(at: float) -> str:
    minutes = max(0, int(at - time.time())) // 60
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M} UTC ({minutes} min)"
