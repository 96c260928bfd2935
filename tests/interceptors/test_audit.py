"""Interceptors of kind `audit`: what is written down of calls and turns, and what never is."""

from __future__ import annotations

import asyncio
import json
from contextlib import aclosing
from dataclasses import replace
from typing import Any

import httpx2
import pytest

from headgate.core.errors import PolicyRefused
from headgate.core.kind import Env, Scope
from headgate.core.messages import ToolResult
from headgate.core.ports import ModelRequest
from headgate.interceptors.audit import KIND
from headgate.testing.interceptor_kit import Listener, Tool, Turn, asking, calling, opened, saying

HIDDEN = "the-secret-of-the-manifest"
TOKEN = "ghp_" + "x7Kq29LmZp04RtVwYb83NcHd51JsGf6QeAuT"
Note = tuple[str, str, str, dict[str, Any]]


async def seen(body: dict[str, Any], result: Any = True, **args: Any) -> Note:
    """The record of one call."""
    ear = Listener()
    async with httpx2.AsyncClient() as client:
        env = Env("watch", client, str.encode, scrub=lambda text: text.replace(HIDDEN, "[redacted]"))
        async with opened(KIND, body, env=env) as interceptor:
            await interceptor.around_tool(ear.call(), calling(**args), Tool((ToolResult(structured=result),)))
    ((note),) = ear.notes
    return note


async def test_shapes() -> None:
    """Unless the manifest says otherwise, no value of arguments and results is written down."""
    kind, policy, outcome, details = await seen({}, {"rows": [{"id": 7}]}, who="ACME", n=2)
    assert (kind, policy, outcome) == ("audit.call", "watch", "ok")
    assert details["arguments_shape"] == {"who": "string", "n": "number"}
    assert details["result_shape"] == {"rows": [{"id": "number"}]}
    assert "ACME" not in json.dumps(details)


async def test_hashes_and_values() -> None:
    """Each of both is as detailed as its key says; a hash does not depend on the order of the members."""
    details = (await seen({"arguments": "hash", "results": "full"}, {"a": 1}, x=1, y=2))[3]
    other = (await seen({"arguments": "hash", "results": "none"}, y=2, x=1))[3]
    assert details["arguments_sha256"] == other["arguments_sha256"]
    assert details["result"] == {"a": 1}
    assert not [name for name in other if name.startswith("result")]


@pytest.mark.parametrize("detail", ["full", "shape"])
async def test_secrets_are_never_told(detail: str) -> None:
    """What manifests keep secret and what looks like a credential is taken out of values and of names of members."""
    body = {"arguments": detail, "results": detail}
    details = (await seen(body, {"is": [f"x {HIDDEN}"], TOKEN: 1}, token=TOKEN, text=f"use {TOKEN}"))[3]
    told = json.dumps(details)
    assert TOKEN not in told
    assert HIDDEN not in told


async def test_large_values() -> None:
    """Of what is larger than `max` there is the shape and the size, and of a large shape the size."""
    details = (
        await seen({"arguments": "full", "results": "shape", "max": 100}, {f"m{n}": n for n in range(90)}, t="x" * 99)
    )[3]
    assert (details["arguments_shape"], details["arguments_bytes"] > 100) == ({"t": "string"}, True)
    assert (details["result_shape"], details["result_bytes"] > 100) == ("large", True)


async def test_what_is_no_json() -> None:
    """A result that is no JSON does no harm."""
    endless: list[Any] = []
    endless.append(endless)
    assert (await seen({"results": "full"}, endless))[3]["result"] == "unreadable"


async def test_calls_that_fail() -> None:
    """A call that is refused further in, or cancelled, is told with how it ended."""
    ear = Listener()

    async def refuse(_call: Any, _ctx: Any, /) -> ToolResult:
        raise PolicyRefused("no", code="rate_limited")

    async def hang(_call: Any, _ctx: Any, /) -> ToolResult:
        raise asyncio.CancelledError

    async with opened(KIND, {}) as interceptor:
        with pytest.raises(PolicyRefused):
            await interceptor.around_tool(ear.call(), calling(a=1), refuse)
        with pytest.raises(asyncio.CancelledError):
            await interceptor.around_tool(ear.call(), calling(a=1), hang)
    assert [(outcome, details["arguments_shape"]) for _, _, outcome, details in ear.notes] == [
        ("rate_limited", {"a": "number"}), ("cancelled", {"a": "number"}),
    ]  # fmt: skip


async def turned(request: ModelRequest, turn: Turn, *, read: int = 99) -> Note:
    """The record of one turn, of which so many events are read."""
    ear = Listener()
    async with opened(KIND, {"turns": "full"}) as interceptor:
        events = interceptor.around_model(ear.turn(), request, turn)
        async with aclosing(events) as told:
            async for _ in told:
                read -= 1
                if not read:
                    break
    ((note),) = ear.notes
    return note


async def test_turns() -> None:
    """A turn is told with what the model was told last and what it answered; one that is closed early, too."""
    kind, _, outcome, details = await turned(asking("first", "last"), saying("Hello ", "there"))
    assert (kind, outcome, details["model"], details["messages"]) == ("audit.turn", "end", "m", 2)
    assert (details["asked"]["text"], details["answer"]["text"]) == ("last", "Hello there")
    _, _, outcome, details = await turned(asking("first"), replace(saying("Hello ", "there"), endless=True), read=1)
    assert (outcome, "answer" in details) == ("cancelled", False)


@pytest.mark.parametrize("body", [{"arguments": "none", "results": "none"}, {"mode": "warn"}])
def test_findings(body: dict[str, Any]) -> None:
    """A table without effect, and a mode that the kind has not, are found."""
    spec = KIND.spec.model_validate({"kind": "audit", **body})
    assert [each.code for each in KIND.check(spec, Scope("watch"))] == ["HG1206"]
