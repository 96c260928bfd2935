"""Takes tools out of a listing that the SDK would refuse as a whole for one of them."""

from __future__ import annotations

from typing import Any

import mcp_types as types
from pydantic import ValidationError

from headgate.mcp.listing import visible


def sift(message: Any) -> list[str]:
    """Removes from an answer to `tools/list` what is no tool, in place; a sentence about each."""
    result = message.result if isinstance(message, types.JSONRPCResponse) else None
    if not isinstance(result, dict) or "content" in result or not isinstance(result.get("tools"), list):
        return []
    problems, kept = [], []
    for index, raw in enumerate(result["tools"]):
        reason = _fault(raw)
        if reason:
            problems.append(f"tool {_name(raw) or index + 1!r} is left out: {reason}")
        else:
            kept.append(raw)
    if problems:
        result["tools"] = kept
    return problems


def _fault(raw: Any) -> str:
    try:
        types.Tool.model_validate(raw, by_name=False)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        return f"{'.'.join(map(str, first['loc'])) or 'it'}: {visible(first['msg'], 200)}"
    # The SDK's check of the protocol version wants this, its model of a tool does not.
    for key in ("inputSchema", "outputSchema"):
        schema = raw.get(key)
        if schema is not None and schema.get("type") != "object":
            return f"its {key} is not that of an object"
    return ""


def _name(raw: Any) -> str:
    return visible(raw.get("name"), 100) if isinstance(raw, dict) else ""
