"""An external policy service is asked, and does what it may."""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web
from pydantic import ValidationError

from headgate.core.errors import PolicyRefused
from headgate.core.kind import Scope
from headgate.core.messages import Text, ToolResult, failed
from headgate.core.ports import Interceptor, ModelEvent
from headgate.interceptors.webhook import KIND, WebhookSpec
from headgate.testing.harness import live, spoken
from headgate.testing.interceptor_kit import check_innocent
from headgate.testing.tool_kit import site
from tests.conftest import Tree
from tests.interceptors.stage import DONE, Behind, Ear, Speaking, asking, called, definition, heard, opened, told

SECRET = "a-secret-of-the-tests"


@dataclass
class Service:
    """A policy service that answers `answer`, or the bytes or the status that it is."""

    answer: Any = field(default_factory=lambda: {"decision": "allow"})
    asked: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    raw: list[bytes] = field(default_factory=list)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.raw.append(await request.read())
        self.asked.append(json.loads(self.raw[-1]))
        self.headers.append({name.lower(): value for name, value in request.headers.items()})
        if self.answer is None:
            await asyncio.Event().wait()
        if isinstance(self.answer, int):
            return web.Response(status=self.answer, headers={"location": "/elsewhere"})
        body = self.answer if isinstance(self.answer, bytes) else json.dumps(self.answer).encode()
        return web.Response(body=body)


@contextlib.asynccontextmanager
async def serving(
    answer: Any = None, *, hangs: bool = False, **body: Any
) -> AsyncIterator[tuple[Service, Interceptor]]:
    """A service, and an interceptor that asks it."""
    service = Service(None if hangs else answer or {"decision": "allow"})
    async with (
        site({"/policy": service.handle}) as url,
        opened(KIND, {"url": f"{url}/policy", "secret": SECRET, **body}) as webhook,
    ):
        yield service, webhook


async def test_a_signed_request() -> None:
    """The signature is over timestamp and body, so that a service knows who asks, and when."""
    async with serving() as (service, webhook):
        await webhook.around_tool(Ear().tool(definition()), called(to="ada"), Behind())
    headers, raw = service.headers[0], service.raw[0]
    signed = headers["x-headgate-timestamp"].encode() + b"." + raw
    assert headers["x-headgate-signature"] == "sha256=" + hmac.new(SECRET.encode(), signed, "sha256").hexdigest()
    assert (headers["x-headgate-event"], headers["content-type"]) == ("call", "application/json")


async def test_shapes_alone() -> None:
    """Unless asked for, no value leaves: names and types do, and what the service needs to decide."""
    async with serving(on=["call", "result"]) as (service, webhook):
        args: dict[str, Any] = {"to": "ada", "n": 7, "tags": ["secret", "b"], "more": {"ok": True, "none": None}}
        await webhook.around_tool(Ear().tool(definition(read_only=True)), called(**args), Behind())
    call, result = service.asked
    assert call["arguments"] == {
        "to": "string", "n": "number", "tags": ["string"], "more": {"ok": "boolean", "none": "null"},
    }  # fmt: skip
    assert (call["tool"]["name"], call["tool"]["read_only"], call["run"]["tainted"]) == ("send", True, False)
    assert (call["session"]["key"], call["agent"], call["policy"], call["mode"]) == (
        "local", "helper", "sample", "enforce",
    )  # fmt: skip
    assert result["result"] == {"status": "ok", "error": None, "value": {"done": "boolean"}}
    assert "ada" not in str(service.asked)


async def test_values_where_asked_for() -> None:
    """With `send = "values"` arguments and results go as they are."""
    async with serving(on=["call", "result"], send="values") as (service, webhook):
        await webhook.around_tool(Ear().tool(), called(to="ada"), Behind())
    assert service.asked[0]["arguments"] == {"to": "ada"}
    assert service.asked[1]["result"]["value"] == {"done": True}


async def test_deny() -> None:
    """The call is not made; the code and the message are those of the service, or ours."""
    behind = Behind()
    for answer, code, said in (
        ({"decision": "deny"}, "webhook_denied", "sample denies send"),
        ({"decision": "deny", "code": "too_late", "message": "Not at night."}, "too_late", "Not at night."),
    ):
        async with serving(answer) as (_, webhook):
            with pytest.raises(PolicyRefused, match=said) as caught:
                await webhook.around_tool(Ear().tool(), called(), behind)
        assert caught.value.code == code
    assert behind.calls == []


async def test_warn() -> None:
    """The call is made; the client hears of the warning, and the model reads it."""
    ear = Ear()
    async with serving({"decision": "warn", "message": "Rarely done."}) as (_, webhook):
        result = await webhook.around_tool(ear.tool(), called(), Behind())
        text = await webhook.around_tool(ear.tool(), called(), Behind(ToolResult(content=(Text("ok"),))))
        watched = await webhook.around_tool(ear.tool(watched=True), called(), Behind())
    assert result.structured == {"done": True, "_warnings": ["sample: Rarely done."]}
    assert text.payload == "ok\n[warning: sample: Rarely done.]"
    assert watched == DONE
    assert ear.decisions[0] == ("sample", "warn", "webhook_denied", "warn")


async def test_rewrites() -> None:
    """Where it may, a service gives other arguments, and another result."""
    behind = Behind()
    async with serving({"decision": "allow", "arguments": {"to": "bob"}}, may_rewrite=True) as (_, webhook):
        await webhook.around_tool(Ear().tool(), called(to="ada"), behind)
    assert behind.calls == [{"to": "bob"}]
    for value, payload in (({"n": 1}, {"n": 1}), ("text", "text"), (None, None)):
        answer = {"decision": "allow", "result": value}
        async with serving(answer, on=["result"], may_rewrite=True) as (_, webhook):
            assert (await webhook.around_tool(Ear().tool(), called(), Behind())).payload == payload


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b"<html>", "cannot be read"),
        (b"[]", "cannot be read"),
        ({"decision": "maybe"}, "cannot be read"),
        ({"decision": "allow", "verdict": 1}, "unknown field"),
        ({"decision": "deny", "code": "No Way"}, "its code"),
        ({"decision": "allow", "arguments": {}}, "may_rewrite is not set"),
        (b" " * 2000, "larger than 1024 bytes"),
        (503, "the status 503"),
        (302, "the status 302"),
    ],
)
async def test_bad_answers(answer: Any, said: str) -> None:
    """A closed one refuses and says what is wrong with the answer; an open one goes on and says so."""
    async with serving(answer, max_answer=1024) as (service, webhook):
        with pytest.raises(PolicyRefused, match=said) as caught:
            await webhook.around_tool(Ear().tool(), called(), Behind())
    assert (caught.value.code, caught.value.retryable, len(service.asked)) == ("not_judged", True, 1)
    ear, behind = Ear(), Behind()
    async with serving(answer, max_answer=1024, failure="open") as (_, webhook):
        assert await webhook.around_tool(ear.tool(), called(), behind) == DONE
    assert ear.decisions == [("sample", "warn", "not_judged", "warn")]
    assert said in ear.messages[0]


@pytest.mark.parametrize(
    ("on", "answer", "said"),
    [
        ("result", {"decision": "allow", "arguments": {}}, "it rewrites arguments"),
        ("call", {"decision": "allow", "result": 1}, "it rewrites a result"),
    ],
)
async def test_rewrites_of_something_else(on: str, answer: Any, said: str) -> None:
    """A service may rewrite only what it was asked about."""
    async with serving(answer, on=[on], may_rewrite=True) as (_, webhook):
        with pytest.raises(PolicyRefused, match=said):
            await webhook.around_tool(Ear().tool(), called(), Behind())


async def test_a_failed_result_is_not_rewritten() -> None:
    """An error stays one; and what was called already is not worth a retry."""
    answer = {"decision": "allow", "result": 1}
    async with serving(answer, on=["result"], may_rewrite=True) as (_, webhook):
        with pytest.raises(PolicyRefused, match="a call that failed") as caught:
            await webhook.around_tool(Ear().tool(), called(), Behind(failed("tool_error", "No.")))
    assert not caught.value.retryable


async def test_silence() -> None:
    """One that does not answer in time is one that fails."""
    async with serving(hangs=True, timeout="20ms") as (_, webhook):
        with pytest.raises(PolicyRefused, match=r"within 0\.02 s"):
            await webhook.around_tool(Ear().tool(), called(), Behind())


async def test_nobody_there() -> None:
    """So is one that cannot be reached, or that the egress guard does not let us reach."""
    body = {"url": "http://127.0.0.1:9/", "secret": SECRET}
    async with opened(KIND, body) as webhook:
        with pytest.raises(PolicyRefused, match="cannot be reached"):
            await webhook.around_tool(Ear().tool(), called(), Behind())
    async with opened(KIND, body, allow=()) as webhook:
        with pytest.raises(PolicyRefused, match=r"plain http to 127\.0\.0\.1 is refused"):
            await webhook.around_tool(Ear().tool(), called(), Behind())


async def test_a_large_request() -> None:
    """What is larger than the limit is not sent."""
    async with serving(max_request=1024, send="values") as (service, webhook):
        with pytest.raises(PolicyRefused, match="more than 1024 bytes"):
            await webhook.around_tool(Ear().tool(), called(text="a" * 1024), Behind())
    assert service.asked == []


async def test_input_and_output() -> None:
    """What a user says is judged before the model reads it, and what the model says before anybody does."""
    model = Speaking()
    async with serving(on=["input", "output"], send="values") as (service, webhook):
        assert (set(webhook.touches), str(webhook.streams)) == ({"model"}, "whole")
        assert await heard(webhook.around_model(Ear().run(), asking("hi", "ho"), model)) == ["Hello ", "there"]
        service.answer = {"decision": "deny"}
        with pytest.raises(PolicyRefused, match="denies the input"):
            await heard(webhook.around_model(Ear().run(), asking("hi"), model))
    assert [(each["event"], each["message"]["text"]) for each in service.asked] == [
        ("input", "ho"), ("output", "Hello there"), ("input", "hi"),
    ]  # fmt: skip
    assert len(model.asked) == 1
    async with serving({"decision": "deny"}, on=["output"]) as (service, webhook):
        before: list[ModelEvent] = []
        with pytest.raises(PolicyRefused, match="denies the output"):
            await told(webhook.around_model(Ear().run(), asking("hi"), Speaking()), before)
    assert (before, service.asked[0]["message"]) == ([], {"characters": 11})


async def test_the_innocent_pass() -> None:
    """One that is always allowed keeps the contracts of the family, whatever it asks about."""
    for on in (["call"], ["call", "result", "input", "output"]):
        async with serving(on=on) as (_, webhook):
            await check_innocent(webhook)


@pytest.mark.parametrize("keys", [{"secret": "short"}, {"url": "ftp://x"}, {"url": "policy"}, {"on": []}])
def test_what_cannot_be_asked(keys: dict[str, Any]) -> None:
    """A weak key, another scheme, or no question at all is an error."""
    with pytest.raises(ValidationError):
        WebhookSpec.model_validate({"kind": "webhook", "url": "https://policy.example", "secret": SECRET, **keys})


def test_no_password_in_the_url() -> None:
    """The signature says who asks; a password in a URL would be shown."""
    spec = WebhookSpec(kind="webhook", url="https://a:b@policy.example/", secret=SECRET)
    assert [each.key for each in KIND.check(spec, Scope("sample"))] == [("url",)]


async def test_in_a_gateway(tree: Tree) -> None:
    """Rewritten arguments that no longer fit the tool are refused; others reach it, call by call."""
    script = (
        "- {calls: [{call: add, args: {a: 1, b: 2}}, {call: add, args: {a: 1, b: 3}}], when: {user_contains: hi}}\n"
        "- {text: Done.}\n"
    )
    service = Service()
    async with site({"/": service.handle}) as url:
        toml = (
            f'[egress]\nallow = ["127.0.0.1"]\n[interceptors.policy]\nkind = "webhook"\nurl = "{url}/"\n'
            f'secret = "${{env:POLICY_SECRET:-{SECRET}}}"\nmay_rewrite = true\n'
        )
        async with live(tree(script, toml=toml)) as gateway:
            seen = []
            for arguments in ({"a": 5, "b": 5}, {"a": "five"}):
                service.answer = {"decision": "allow", "arguments": arguments}
                events = await (await gateway.session()).say("hi")
                seen.append([(e["result"], e["error"]) for e in events if e["type"] == "tool_call_complete"])
                assert spoken(events) == "Done."
    assert [result for result, _ in seen[0]] == [{"sum": 10}, {"sum": 10}]
    assert [error["code"] for _, error in seen[1]] == ["invalid_arguments", "invalid_arguments"]
