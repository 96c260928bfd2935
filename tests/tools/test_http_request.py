"""What a tool of kind `http` sends."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from aiohttp import web

from headgate.core.errors import ToolError
from headgate.testing.tool_kit import check_failure, check_result, opened, site
from headgate.tools.http import KIND

ANY = {"type": "object", "additionalProperties": True}


async def ask(request: dict[str, Any], args: dict[str, Any], path: str = "", **keys: Any) -> dict[str, Any]:
    """What the server saw of one call."""
    seen: dict[str, Any] = {}

    async def look(asked: web.Request) -> web.Response:
        seen.update(method=asked.method, path=asked.raw_path, headers=dict(asked.headers), body=await asked.text())
        return web.json_response(asked.path)

    async with site({"/{any:.*}": look}) as base:
        body = {"description": "x", "input": ANY, "request": {"url": base + path, **request}, **keys}
        async with opened(KIND, body) as tool:
            await check_result(tool, args)
    return seen


async def refuse(request: dict[str, Any], args: dict[str, Any], url: str) -> ToolError:
    """The failure of a call that must not be sent."""
    body = {"description": "x", "input": ANY, "request": {"url": url, **request}}
    async with opened(KIND, body) as tool:
        return await check_failure(tool, args)


@pytest.mark.parametrize(
    ("template", "args", "path"),
    [
        ("/v1/{{ args.id }}/x", {"id": "a b/c?d#e%f&ü"}, "/v1/a%20b%2Fc%3Fd%23e%25f%26%C3%BC/x"),
        ("/v1/{{ args.id }}", {"id": 7}, "/v1/7"),
        ("/v1/x{{ args.id }}", {"id": "../y"}, "/v1/x..%2Fy"),
        ("/v1?q={{ args.id }}&x=1", {"id": "a&b=c"}, "/v1?q=a%26b%3Dc&x=1"),
        ("/v1?q={{ args.id }}", {"id": ""}, "/v1?q="),
        ("/v1/{{ args.id }}", {"id": ".."}, None),
        ("/v1/{{ args.id }}/x", {"id": "."}, None),
        ("/v1/.{{ args.id }}", {"id": "."}, None),
        ("/v1/{{ args.id }}", {"id": "a/../../b"}, None),
        ("/v1/{{ args.id }}", {"id": "..\\b"}, None),
        ("/v1/{{ args.id }}", {"id": ""}, None),
        ("/v1/{{ args.id }}", {"id": None}, None),
        ("/v1/{{ args.id }}", {}, None),
    ],
)
async def test_values_in_the_url_stay_values(template: str, args: dict[str, Any], path: str | None) -> None:
    """They are percent-encoded, and refused where they are missing or would change the path."""
    if path is None:
        assert (await refuse({}, args, f"http://127.0.0.1:1{template}")).code == "invalid_arguments"
    else:
        assert (await ask({}, args, template))["path"] == path


async def test_query_parameters() -> None:
    """Lists repeat the key, types are written as JSON, absent and null arguments leave the key out."""
    query = {"q": "{{ args.q }}", "tag": "{{ args.tags }}", "two": ["{{ args.q }}", "{{ args.gone }}", 1], "on": True}
    query |= {"gone": "{{ args.gone }}", "null": "{{ args.null }}", "mixed": "x{{ args.gone }}"}
    seen = await ask({"query": query}, {"q": "a b&c", "tags": ["x", 2], "null": None}, "/v1?fixed=1")
    assert seen["path"] == "/v1?fixed=1&q=a%20b%26c&tag=x&tag=2&two=a%20b%26c&two=1&on=true"


async def test_headers() -> None:
    """Values are text, absent ones leave the header out, and the author's win over the client's."""
    headers = {"X-Name": "n {{ args.name }}", "X-Gone": "{{ args.gone }}", "X-On": True, "User-Agent": "mine"}
    seen = (await ask({"headers": headers}, {"name": "Zoë"}))["headers"]
    assert (seen["X-Name"], seen["X-On"], seen["User-Agent"]) == ("n Zoë", "true", "mine")
    assert "X-Gone" not in seen


@pytest.mark.parametrize("value", ["a\r\nX-Evil: 1", "a\nb", "a\x00b", "a\x7fb"])
async def test_a_header_value_is_one_line(value: str) -> None:
    """Line ends and control characters in an argument are refused, nothing is sent."""
    failure = await refuse({"headers": {"X-A": "{{ args.a }}"}}, {"a": value}, "http://127.0.0.1:1/")
    assert failure.code == "invalid_arguments"
    assert "X-A" in failure.message


@pytest.mark.parametrize(
    ("request_", "args", "body", "media"),
    [
        ({"body": {"n": "{{ args.n }}", "gone": "{{ args.gone }}"}}, {"n": 3}, '{"n":3}', "application/json"),
        ({"body": "{{ args.all }}"}, {"all": {"a": [1]}}, '{"a":[1]}', "application/json"),
        ({"body": "Hello {{ args.n }}"}, {"n": "ü"}, "Hello ü", "text/plain; charset=utf-8"),
        ({"body": "<a/>", "headers": {"content-type": "text/xml"}}, {}, "<a/>", "text/xml"),
        ({"body": [1], "headers": {"Content-Type": "application/x+json"}}, {}, "[1]", "application/x+json"),
        ({"form": {"a": "{{ args.n }}", "b": ["x y", "{{ args.gone }}"], "c": "{{ args.gone }}"}}, {"n": "&"},
         "a=%26&b=x+y", "application/x-www-form-urlencoded"),
    ],
)  # fmt: skip
async def test_bodies(request_: dict[str, Any], args: dict[str, Any], body: str, media: str) -> None:
    """A body is JSON or text, a form is URL-encoded; what is absent is left out."""
    seen = await ask({"method": "POST", **request_}, args)
    assert (seen["body"], seen["headers"]["Content-Type"]) == (body, media)


async def test_an_absent_body_is_no_body() -> None:
    """A body that is one absent argument sends nothing and states no type."""
    seen = await ask({"method": "POST", "body": "{{ args.gone }}"}, {})
    assert (seen["body"], seen["headers"].get("Content-Length")) == ("", "0")
    assert "application/json" not in str(seen["headers"])


@pytest.mark.parametrize(
    ("auth", "header", "value"),
    [
        ({"type": "bearer", "token": "t0ken"}, "Authorization", "Bearer t0ken"),
        ({"type": "basic", "username": "me", "password": "pä"}, "Authorization",
         "Basic " + base64.b64encode("me:pä".encode()).decode()),
        ({"type": "api_key", "header": "X-Key", "key": "k3y"}, "X-Key", "k3y"),
    ],
)  # fmt: skip
async def test_auth_headers(auth: dict[str, Any], header: str, value: str) -> None:
    """Each type of auth sets its header."""
    assert (await ask({}, {}, auth=auth))["headers"][header] == value


async def test_an_api_key_in_the_query() -> None:
    """The key is added to what the request has."""
    auth = {"type": "api_key", "query": "key", "key": "k&y"}
    assert (await ask({"query": {"a": 1}}, {}, "/v1", auth=auth))["path"] == "/v1?a=1&key=k%26y"


@pytest.mark.parametrize(
    ("request_", "stated", "sent"),
    [
        ({"method": "POST"}, {"idempotent": True}, "run_1:1:call_1"),
        ({"method": "POST", "headers": {"idempotency-key": "own"}}, {"idempotent": True}, "own"),
        ({"method": "POST"}, {}, None),
        ({"method": "PUT"}, {}, None),
        ({"method": "GET"}, {"idempotent": True}, None),
    ],
)
async def test_the_idempotency_key(request_: dict[str, Any], stated: dict[str, bool], sent: str | None) -> None:
    """A call whose author says that it is idempotent carries the key of the call, unless it has its own."""
    headers = (await ask(request_, {}, annotations=stated))["headers"]
    assert {name.lower(): value for name, value in headers.items()}.get("idempotency-key") == sent


async def test_a_call_leaves_the_tool_as_it_was() -> None:
    """Two calls with different arguments share nothing."""

    async def look(asked: web.Request) -> web.Response:
        return web.json_response(asked.path)

    async with site({"/{any:.*}": look}) as base:
        request = {"url": f"{base}/{{{{ args.name }}}}"}
        async with opened(KIND, {"description": "x", "input": ANY, "request": request}) as tool:
            paths = [(await check_result(tool, {"name": name})).structured for name in ("a", "b")]
    assert paths == ["/a", "/b"]
