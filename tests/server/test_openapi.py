"""The OpenAPI document says what the native routes take and answer."""

from __future__ import annotations

import re
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from headgate.testing.harness import live
from tests.conftest import Tree
from tests.server.native import CALL, Caller
from tests.server.test_ownership import NATIVE

WITH_BODY = {"/links", "/invoke", "/chat", "/runs", "/sessions", "/fork", "/answer", "/{approval_id}", "/{prompt_name}"}


async def document(tree: Tree) -> dict[str, Any]:
    """The document of a running gateway."""
    async with live(tree(), watch=False) as gateway:
        return dict((await gateway.http.get("/openapi.json")).json())


def references(node: Any) -> list[str]:
    """The targets of all references within a document."""
    if isinstance(node, list):
        return [found for each in node for found in references(each)]
    if not isinstance(node, dict):
        return []
    own = [node["$ref"]] if isinstance(node.get("$ref"), str) else []
    return own + [found for each in node.values() for found in references(each)]


async def test_the_document(tree: Tree) -> None:
    """It is OpenAPI 3.1, its references lead somewhere, and it names the scheme of the keys."""
    found = await document(tree)
    assert found["openapi"].startswith("3.1")
    assert found["components"]["securitySchemes"] == {"key": {"type": "http", "scheme": "bearer"}}
    known = {f"#/components/schemas/{name}" for name in found["components"]["schemas"]}
    assert set(references(found)) <= known


async def test_every_native_route(tree: Tree) -> None:
    """Each says that it needs a key, what it answers, its problems, and its body where it has one."""
    paths = (await document(tree))["paths"]
    for method, route in NATIVE:
        path = route.replace(":str}", "}")
        found = paths[path][method.lower()]
        if path == "/v1/agents/{agent_id}":
            continue
        assert found["security"] == [{"key": []}], path
        assert found["summary"]
        assert found["description"]
        answers = found["responses"]
        problems = [answers[status]["content"] for status in ("401", "403", "422")]
        assert all(list(each) == ["application/problem+json"] for each in problems)
        success = [each["content"]["application/json"]["schema"] for code, each in answers.items() if code < "300"]
        assert success, path
        assert all(each != {} for each in success)
        reads = method == "POST" and any(path.endswith(end) for end in WITH_BODY)
        assert ("requestBody" in found) is reads, path


ROUTES = ["/v1/runs", "/v1/runs/{}", "/v1/runs/{}/steps", "/v1/runs/{}/events", "/v1/executions/{}", "/v1/sessions"]


@pytest.mark.parametrize("path", ROUTES)
async def test_answers_are_as_described(tree: Tree, path: str) -> None:
    """What a route answers fits the schema that the document gives for it."""
    async with live(tree(CALL), watch=False) as gateway:
        caller = Caller(gateway)
        turn = await caller.ask("POST", "/v1/agents/helper/chat", {"message": "add"})
        body = await caller.ask("GET", path.format(turn["run_id"]))
        found = (await gateway.http.get("/openapi.json")).json()
    name = re.sub("{}", "{run_id}" if "/runs" in path else "{execution_id}", path)
    schema = found["paths"][name]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    whole = {**schema, "components": found["components"]}
    assert [each.message for each in Draft202012Validator(whole).iter_errors(body)] == []
