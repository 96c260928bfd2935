"""Arguments that a person changed before approving a call: whether they fit, and how the call gets them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from jsonschema import Draft202012Validator
from msgspec.structs import replace

from headgate.core.errors import Invalid, PolicyRefused
from headgate.core.messages import ErrorInfo, ToolCall, ToolResult
from headgate.engine.arguments import args_hash
from headgate.engine.turn import CallState
from headgate.stores.waits import WaitRecord

EDITED = "arguments_edited"
"""The code of the remark that a person changed the arguments."""
_canonical = msgspec.json.Encoder(order="deterministic").encode
_SHOWN = 20
_LONGEST = 300


def require_fit(args: Mapping[str, Any], schema: Mapping[str, Any], tool: str) -> None:
    """Raises `Invalid` with the places where edited arguments violate the input schema of the tool."""
    validator = Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)
    errors = sorted(validator.iter_errors(args), key=lambda each: list(map(str, each.absolute_path)))
    if errors:
        places = [{"detail": each.message[:_LONGEST], "pointer": _pointer(each.absolute_path)} for each in errors]
        said = f"the edited arguments do not fit {tool}: {'; '.join(each['detail'] for each in places[:_SHOWN])}"
        raise Invalid(said, code="invalid_arguments", details={"errors": places[:_SHOWN]})


def _pointer(path: Any) -> str:
    return "#/edited_args" + "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in path)


def edit_of(wait: WaitRecord | None) -> dict[str, Any] | None:
    """The arguments that were approved instead of those that were asked about."""
    if wait is None or wait.state != "approved" or not wait.votes:
        return None
    return wait.votes[-1].edited_args


def bound_hash(wait: WaitRecord) -> str:
    """The hash of the arguments that the answer is bound to."""
    edit = edit_of(wait)
    return wait.args_hash if edit is None else args_hash(edit)


def edited(call: ToolCall, state: CallState) -> ToolCall:
    """The call as it was approved, by all who were asked one after the other. One that is not the call that people were
    asked about stays as it is, and is found out later."""
    for wait in state.approvals:
        edit = edit_of(wait)
        if edit is None or wait.args_hash != args_hash(call.args):
            continue
        said = f"a person changed the arguments; the call was made with {_canonical(edit).decode()}"
        state.remarks[f"approval by {wait.votes[-1].by}"] = PolicyRefused(said, code=EDITED)
        call = replace(call, args=edit)
    return call


def insisted(result: ToolResult, said: str) -> ToolResult:
    """The result with a remark that the model must read, whatever the result looks like."""
    if result.error is not None:
        error = result.error
        info = ErrorInfo(error.code, f"{error.message} ({said})", error.retryable, error.details)
        return replace(result, error=info)
    return replace(result, structured={"result": result.payload, "_warnings": [said]})
