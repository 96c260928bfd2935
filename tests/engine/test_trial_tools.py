"""Inline tests of tools: real templates, parsing and shapes, with a canned world."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.engine.trials import ADD, CALCULATE, LOOKUP, suite, told, tool, tried

ACME = {"args": {"name": "ACME & Co"}}
POST = """\
kind: http
description: Opens a ticket.
input: {type: object, properties: {title: {type: string}, tags: {type: array}}}
request:
  method: POST
  url: https://127.0.0.1:1/tickets
  headers: {X-Title: "{{ args.title }}"}
  body: {title: "{{ args.title }}", tags: "{{ args.tags }}"}
auth:
  type: oauth2_client_credentials
  token_url: https://127.0.0.1:1/token
  client_id: me
  client_secret: ${env:S:-hidden-secret}
"""
LIST = """\
kind: http
description: Lists.
request: {url: "https://127.0.0.1:1/list"}
paginate: {page: page}
retry: {max: 1, backoff: 20s}
"""
COMMAND = """\
kind: command
description: Counts.
argv: [no-such-program, --name, "{{ args.name }}"]
stdin: {of: "{{ args.name }}"}
input: {type: object, properties: {name: {type: string}}, required: [name]}
parse: json
output: "count"
"""
PICK = """\
kind: client
description: Lets the person choose files.
input: {type: object, properties: {prompt: {type: string}}, required: [prompt]}
output: "files[].name"
"""

PASSES: list[tuple[str, dict[str, Any]]] = [
    (LOOKUP, {**ACME, "response": {"plan_name": "gold"}, "expect": {"plan": "gold"}}),
    (LOOKUP, {**ACME, "response": '{"plan_name": "raw"}', "expect": {"plan": "raw"}}),
    (LOOKUP, {**ACME, "response": {"status": 200, "body": {"plan_name": 1}}, "expect": {"plan": 1.0}}),
    (LOOKUP, {**ACME, "response": {"status": 503, "headers": {"X-Why": 1}, "body": "down"}, "error": "http_status"}),
    (LOOKUP, {**ACME, "response": {"status": "open"}, "expect": {"plan": None}}),
    (LOOKUP, {**ACME, "response": "<html>", "error": "invalid_result"}),
    (LOOKUP, {**ACME, "request": {"url": "https://127.0.0.1:1/customers", "query": {"q": "ACME & Co"}}}),
    (LOOKUP, {**ACME, "request": {"url": "https://127.0.0.1:1/customers?q=ACME%20%26%20Co", "method": "GET"}}),
    (LOOKUP, {"args": {"name": 1}, "error": "invalid_arguments"}),
    (LOOKUP.replace('output: "{plan: plan_name}"', ""), {**ACME, "response": "plain", "expect": "plain"}),
    (POST, {"args": {"title": "T"}, "response": {"status": 201}, "expect": None,
            "request": {"body": {"title": "T"}, "headers": {"x-title": "T"}, "method": "POST"}}),
    (LIST, {"responses": [[1], {"status": 503}, [2, 3], []], "expect": [1, 2, 3]}),
    (COMMAND, {"args": {"name": "a b"}, "stdout": {"count": 3}, "expect": 3, "stdin": {"of": "a b"},
               "argv": ["no-such-program", "--name", "a b"]}),
    (COMMAND, {"args": {"name": "a"}, "stdout": "three", "error": "invalid_result"}),
    (COMMAND, {"args": {"name": "a"}, "stderr": "no", "exit": 2, "error": "exit_status", "stdin": '{"of":"a"}'}),
    (CALCULATE, {"args": {"expression": "1/0"}, "error": "division_by_zero"}),
    (PICK, {"args": {"prompt": "Which?"}, "response": {"files": [{"name": "a", "path": "/a"}]}, "expect": ["a"]}),
    (PICK, {"args": {"prompt": "Which?"}, "response": 5, "expect": None}),
    (PICK, {"args": {}, "error": "invalid_arguments"}),
]  # fmt: skip


@pytest.mark.parametrize(("manifest", "test"), PASSES, ids=lambda each: str(each)[:30])
async def test_a_test_that_passes(tmp_path: Path, manifest: str, test: dict[str, Any]) -> None:
    """Requests, answers and results are as they would be, without a server or a program."""
    assert await tried(tmp_path, tool(manifest, test)) == []


FAILS: list[tuple[str, dict[str, Any], str]] = [
    (PICK, {"args": {"prompt": "Which?"}, "response": {"files": []}, "expect": ["a"]},
     'the result at [0]: expected "a", got nothing'),
    (PICK, {"args": {"prompt": "Which?"}, "error": "invalid_result"},
     "the call: expected the error invalid_result, got no_answer (the test says nothing of what the front end posts)"),
    (LOOKUP, {**ACME, "response": {"plan": "gold"}, "expect": {"plan": "gold"}},
     'the result at plan: expected "gold", got null'),
    (LOOKUP, {**ACME, "response": {"plan_name": True}, "expect": {"plan": 1}},
     "the result at plan: expected 1, got true"),
    (LOOKUP, {**ACME, "response": {}, "expect": {}}, "the result at plan: expected nothing, got null"),
    (LOOKUP, {**ACME, "response": {"status": 500, "body": "oh"}, "expect": {}},
     "the call failed: http_status: 127.0.0.1 answered 500 Internal Server Error: oh"),
    (LOOKUP, {**ACME, "response": {"plan_name": "gold"}, "error": "http_status"},
     'the call: expected the error http_status, got the result {"plan": "gold"}'),
    (LOOKUP, {**ACME, "request": {"query": {"name": "ACME & Co"}}},
     'the query of the request at name: expected "ACME & Co", got nothing'),
    (LOOKUP, {**ACME, "request": {"headers": {"X-Key": "1"}}}, 'the header X-Key: expected "1", got nothing'),
    (LOOKUP, {"args": {}, "request": {"method": "GET"}},
     "the call failed: invalid_arguments: 'name' is a required property"),
    (LOOKUP, {"args": {}, "error": "invalid_arguments", "request": {"method": "GET"}}, "no request was made"),
    (LIST, {"responses": [[1]], "expect": [1]}, "the call made 2 requests, but the test has 1 answers"),
    (COMMAND, {"args": {"name": "a"}, "stdout": {"count": 3}, "argv": ["no-such-program", "a"]},
     'the argv of the program at [1]: expected "a", got "--name"'),
    (COMMAND, {"args": {}, "argv": []}, "the call failed: invalid_arguments: 'name' is a required property"),
    (COMMAND, {"args": {}, "error": "invalid_arguments", "stdin": 1}, "the program was not run"),
    (CALCULATE, {"args": {"expression": "1/4"}, "expect": {"expression": "1/4", "value": 0.25, "exact": "1:4"}},
     'the result at exact: expected "1:4", got "1/4"'),
]  # fmt: skip


@pytest.mark.parametrize(("manifest", "test", "said"), FAILS, ids=lambda each: str(each)[:30])
async def test_a_test_that_fails(tmp_path: Path, manifest: str, test: dict[str, Any], said: str) -> None:
    """The finding says what was expected and what came."""
    (found,) = await tried(tmp_path, tool(manifest, test))
    assert found.partition(" HG1501 ")[2] == f"test '1': {said}"


async def test_the_place_of_a_failure(tmp_path: Path) -> None:
    """A finding stands at the part of the result that is wrong."""
    text = "tests:\n  - args: {name: A}\n    response: {plan_name: gold}\n    expect:\n      plan: silver\n"
    (found,) = await tried(tmp_path, {"tools/it.yaml": LOOKUP + text})
    assert found.startswith("10:13: HG1501")


async def test_a_function_that_may_write(tmp_path: Path) -> None:
    """A function is called only when it says that it changes nothing and stays inside."""
    (found,) = await tried(tmp_path, tool(ADD, {"args": {"a": 1, "b": 2}, "expect": {"sum": 3}}))
    assert "HG1502 test '1': the function is not read_only, or is open_world, so it is not called in tests" in found
    safe = f"{ADD}annotations: {{read_only: true, open_world: false}}\n"
    assert await tried(tmp_path, tool(safe, {"args": {"a": 1, "b": 2}, "expect": {"sum": 3}})) == []


async def test_references_in_tests(tmp_path: Path) -> None:
    """What a test says may come from the environment, too, wherever it stands."""
    name = "${env:CUSTOMER:-ACME}"
    posted = {
        "args": {"title": name, "tags": [name]}, "response": {"status": 201, "body": {"for": name}},
        "expect": {"for": name}, "request": {"body": {"title": name, "tags": [name]}},
    }  # fmt: skip
    assert await tried(tmp_path / "a", tool(POST, posted)) == []
    printed = {"args": {"name": name}, "stdout": {"count": name}, "expect": name, "stdin": {"of": name}}
    assert await tried(tmp_path / "b", tool(COMMAND, printed)) == []


async def test_secrets_are_not_shown(tmp_path: Path) -> None:
    """What came from the environment is in no finding."""
    manifest = LOOKUP.replace("query:", 'headers: {X-Key: "${env:CRM_KEY}"}, query:')
    test = {**ACME, "request": {"headers": {"X-Key": "another"}}}
    (found,) = await tried(tmp_path, tool(manifest, test), {"CRM_KEY": "a-secret-value"})
    assert found.endswith('the header X-Key: expected "another", got "[redacted]"')


async def test_without_the_environment(tmp_path: Path) -> None:
    """What cannot be known without the environment is skipped; all else is tested."""
    known = tool(LOOKUP.replace("query:", 'headers: {X-Key: "${env:CRM_KEY}"}, query:'), {**ACME, "request": {}})
    (verdict,) = await suite(tmp_path / "a", known, skip=True).run()
    assert verdict.state == "passed"
    unknown = tool(LOOKUP.replace("https://127.0.0.1:1", "${env:CRM_URL}"), {**ACME, "request": {}})
    (verdict,) = await suite(tmp_path / "b", unknown, skip=True).run()
    assert (verdict.state, told([verdict])) == ("skipped", [])
    assert verdict.reason.startswith("the environment was left out")


async def test_a_slow_function(tmp_path: Path) -> None:
    """A call that does not end in time fails its test."""
    slow = "kind: function\ndescription: Waits.\ncall: tests.workshop:wait\n"
    slow += "annotations: {read_only: true, open_world: false}\n"
    (found,) = await tried(tmp_path, tool(slow, {"args": {"name": "trial"}, "expect": 1, "timeout": "50ms"}))
    assert found.endswith("test '1': the call did not end within 0.05 s")
