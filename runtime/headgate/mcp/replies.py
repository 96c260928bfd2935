"""What is answered when a server asks for input: the person behind the call where there is one, else no."""

from __future__ import annotations

from typing import Any

import mcp_types as types

from headgate.mcp.asking import Ask, Question


async def declining(context: Any, params: types.ElicitRequestParams) -> types.ElicitResult:  # noqa: ARG001
    """Until 2025-11-25 a server asks on the connection, not on a call: nobody can be asked for it."""
    return types.ElicitResult(action="decline")


async def answers(result: types.InputRequiredResult, ask: Ask) -> dict[str, Any]:
    """The responses to the requests in a result (2026-07-28, multi round-trip requests), by their names."""
    return {name: await _answer(each, ask) for name, each in (result.input_requests or {}).items()}


async def _answer(request: Any, ask: Ask) -> Any:
    if not isinstance(request, types.ElicitRequest):
        return types.ElicitResult(action="decline")
    params = request.params
    if isinstance(params, types.ElicitRequestURLParams):
        question = Question(params.message, url=str(params.url))
    else:
        question = Question(params.message, dict(params.requested_schema))
    reply = await ask(question)
    return types.ElicitResult(action=reply.action, content=reply.content if reply.action == "accept" else None)
