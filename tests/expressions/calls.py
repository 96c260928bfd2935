"""One tool call to ask conditions about."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from headgate.core.context import SessionInfo
from headgate.core.ports import Annotations, ToolDefinition
from headgate.expressions.activation import ABSENT, Activation, Facts
from headgate.expressions.cel_types import Declarations
from headgate.expressions.condition import Condition, ConditionError, Text

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "amount": {"type": "number"},
        "count": {"type": "integer"},
        "account": {"type": "string"},
        "note": {"type": ["string", "null"]},
        "plan": {"enum": ["gold", "silver"]},
        "tags": {"type": "array", "items": {"type": "string"}},
        "rates": {"type": "object", "additionalProperties": {"type": "number"}},
        "customer": {"type": "object", "properties": {"name": {"type": "string"}}, "additionalProperties": False},
        "open": {"type": "object", "properties": {"known": {"type": "string"}}, "additionalProperties": True},
        "lines": {"type": "array", "items": {"type": "object"}},
    },
    "additionalProperties": False,
}
ANY = Declarations()
TYPED = Declarations(SCHEMA)
AFTER = Declarations(after=True)


def asked(
    args: dict[str, Any] | None = None, *, schema: dict[str, Any] | None = None, result: Any = ABSENT
) -> Activation:
    """The activation of a call of `crm__pay`."""
    definition = ToolDefinition(
        "crm__pay", "Pays.", schema or {}, annotations=Annotations(idempotent=True), kind="mcp", server="crm"
    )
    session = SessionInfo("sess_1", team="ops", key="local")
    now = datetime(2026, 5, 1, 12, tzinfo=UTC)
    facts = Facts(
        tool=definition, args=args or {}, agent="assistant", session=session, now=now, turn=2, cost_usd=1, result=result
    )
    return Activation.of(facts)


def outcome(expression: Condition | Text, activation: Activation) -> bool | str:
    """What the expression answers, or why it has no answer."""
    try:
        return expression.holds(activation) if isinstance(expression, Condition) else expression.value(activation)
    except ConditionError as error:
        return str(error)
