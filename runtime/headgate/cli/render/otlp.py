"""Audit records as OpenTelemetry logs, in the JSON encoding of OTLP.

Source: https://opentelemetry.io/docs/specs/otel/protocol/file-exporter/ (each line is a `LogsData`) and
https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding (64-bit integers are text).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from headgate import __version__
from headgate.stores.audit import AuditRecord

_INFO, _WARN = (9, "INFO"), (13, "WARN")
_ATTENTION = frozenset({"unauthenticated", "forbidden", "denied", "deny", "rejected", "error", "revoked", "unknown"})
"""Outcomes that are warnings."""
_NAMED = ("key", "team", "agent", "session", "run", "call", "tool", "policy", "outcome")
_NANO = 1_000_000_000


def otlp_line(record: AuditRecord) -> str:
    """One record as a line; `headgate.audit.text` is what was hashed."""
    entry = record.entry
    number, name = _WARN if entry.outcome in _ATTENTION else _INFO
    own = {"n": record.n, "prev": record.prev, "hash": record.hash, "text": record.text}
    known = {name: value for name in _NAMED if (value := getattr(entry, name))}
    told = {f"headgate.{name}": value for name, value in known.items()}
    told |= {f"headgate.audit.{name}": value for name, value in own.items()}
    log = {
        "timeUnixNano": str(int(entry.at * _NANO)),
        "severityNumber": number,
        "severityText": name,
        "eventName": f"headgate.{entry.kind}",
        "body": _any(dict(entry.details)),
        "attributes": _pairs(told),
    }
    resource = {"attributes": _pairs({"service.name": "headgate", "service.version": __version__})}
    scope = {"scope": {"name": "headgate.audit"}, "logRecords": [log]}
    data = {"resourceLogs": [{"resource": resource, "scopeLogs": [scope]}]}
    return json.dumps(data, ensure_ascii=False, separators=(",", ":"))


def _pairs(values: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{"key": str(name), "value": _any(value)} for name, value in values.items()]


def _any(value: Any) -> dict[str, Any]:
    """A JSON value as an `AnyValue`; null is the empty one."""
    match value:
        case None:
            return {}
        case bool():
            return {"boolValue": value}
        case int():
            # What does not fit 64 bits has no integer form there.
            return {"intValue": str(value)} if -(1 << 63) <= value < 1 << 63 else {"doubleValue": float(value)}
        case float():
            return {"doubleValue": value}
        case dict():
            return {"kvlistValue": {"values": _pairs(value)}}
        case list() | tuple():
            return {"arrayValue": {"values": [_any(each) for each in value]}}
        case _:
            return {"stringValue": str(value)}
