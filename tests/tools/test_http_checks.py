"""Findings of `http` manifests."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from headgate.core.kind import Finding, Scope
from headgate.core.scalars import Interpolated
from headgate.tools.http import KIND
from headgate.tools.http.spec import HttpSpec

INPUT = {"type": "object", "properties": {"name": {"type": "string"}, "id": {}}, "required": ["id"]}
URL = "https://crm.example/v1"


def findings(request: dict[str, Any], **keys: Any) -> list[Finding]:
    body = {"kind": "http", "description": "x", "input": INPUT, "request": {"url": URL, **request}, **keys}
    return list(KIND.check(HttpSpec.model_validate(body), Scope("sample")))


def test_a_good_manifest_has_none() -> None:
    """The manual's example, with every part that may hold templates."""
    request = {
        "method": "POST",
        "url": "https://crm.example:8443/v1/{{ args.id }}/x?a=1",
        "query": {"q": "{{ args.name }}", "n": 3, "list": ["{{ args.id }}", True]},
        "headers": {"X-Name": "{{ args.name }}"},
        "body": {"deep": [{"id": "{{ args.id }}", "all": "{{ args }}"}]},
    }
    assert findings(request) == []


@pytest.mark.parametrize(
    ("request_", "key", "offset", "message"),
    [
        ({"query": {"q": "x {{ args.nmae }}"}}, ("request", "query", "q"), 5, "did you mean 'name'?"),
        ({"headers": {"X": "{{ arg.name }}"}}, ("request", "headers", "X"), 3, "no 'arg.name'"),
        ({"url": URL + "/{{ args.zz }}"}, ("request", "url"), 26, "there are: id, name"),
        ({"method": "POST", "body": {"a": ["{{ args.x }}"]}}, ("request", "body", "a", 0), 3, "no property 'x'"),
        ({"method": "POST", "form": {"a": ["{{ include:x }}"]}}, ("request", "form", "a", 0), 3, "include:x"),
    ],
)
def test_template_paths_name_arguments(
    request_: dict[str, Any], key: tuple[Any, ...], offset: int, message: str
) -> None:
    """A path that is not in the input is a finding with its exact place."""
    found = findings(request_)
    assert [(each.key, each.code, each.offset) for each in found] == [(key, "HG1302", offset)]
    assert message in found[0].message


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("/v1", "does not begin with http"),
        ("ftp://x/", "does not begin with http"),
        ("{{ args.id }}", "may not stand in the scheme or host"),
        ("{{ args.id }}://x/", "may not stand in the scheme or host"),
        ("https://{{ args.id }}/", "may not stand in the scheme or host"),
        ("https://api.{{ args.id }}/", "may not stand in the scheme or host"),
        ("https://crm.example{{ args.id }}", "may not stand in the scheme or host"),
        ("https://crm.example:{{ args.id }}/", "may not stand in the scheme or host"),
        ("https://user:pw@crm.example/", "holds a user name"),
        ("https://crm.example:port/", "cannot be read"),
        ("https://crm.example/a/../b", "'..' as a segment"),
        ("https://crm.example/a/%2e%2E/b", "'..' as a segment"),
        ("https://crm.example/a b", "a space"),
    ],
)
def test_the_url_is_written_out_up_to_its_host(url: str, message: str) -> None:
    """Arguments cannot choose where a request goes."""
    (finding,) = [each for each in findings({"url": url}) if each.severity == "error"]
    assert (finding.key, finding.code) == (("request", "url"), "HG1004")
    assert message in finding.message


def test_a_host_from_a_reference_is_fine() -> None:
    """The base URL may come from the environment: that is the operator's word, not the model's."""
    base = "https://crm.internal"
    assert findings({"url": Interpolated(f"{base}/v1/{{{{ args.id }}}}", ((0, len(base)),))}) == []


def test_an_optional_argument_in_the_url_is_a_warning() -> None:
    """A URL cannot leave out what is absent."""
    (finding,) = findings({"url": URL + "/{{ args.name }}"})
    assert (finding.severity, finding.offset) == ("warning", 26)


@pytest.mark.parametrize(
    ("headers", "message"),
    [
        ({"Bad Name": "x"}, "is not the name of a header"),
        ({"Host": "x"}, "set by the gateway itself"),
        ({"content-length": 3}, "set by the gateway itself"),
        ({"X-A": "1", "x-a": "2"}, "written twice"),
        ({"X-A": "a\r\nB: c"}, "line end"),
        ({"X-A": "a\n{{ args.id }}"}, "line end"),
    ],
)
def test_headers(headers: dict[str, Any], message: str) -> None:
    """Names are tokens, framing is the gateway's, values are one line."""
    (finding,) = findings({"headers": headers})
    assert message in finding.message


@pytest.mark.parametrize(
    ("request_", "keys", "place"),
    [
        ({"body": {}}, {}, ("request", "body")),
        ({"method": "HEAD", "form": {}}, {}, ("request", "form")),
        ({"method": "POST", "body": 1, "form": {}}, {}, ("request", "form")),
        ({"method": "POST"}, {"retry": {}}, ("retry",)),
        ({"method": "PUT"}, {"paginate": {"link": True}}, ("paginate",)),
        ({"method": "HEAD"}, {"paginate": {"link": True}}, ("paginate",)),
        (
            {"headers": {"authorization": "x"}},
            {"auth": {"type": "bearer", "token": "t"}},
            ("request", "headers", "authorization"),
        ),
        (
            {"headers": {"X-Key": "x"}},
            {"auth": {"type": "api_key", "key": "k", "header": "x-key"}},
            ("request", "headers", "X-Key"),
        ),
        ({}, {"auth": {"type": "api_key", "key": "k", "header": "a b"}}, ("auth", "header")),
    ],
)
def test_parts_that_do_not_go_together(request_: dict[str, Any], keys: dict[str, Any], place: tuple[str, ...]) -> None:
    """What would have no effect, or two meanings, is a finding at the key to remove."""
    (finding,) = findings(request_, **keys)
    assert (finding.key, finding.code) == (place, "HG1004")


def test_what_the_author_states_allows_more() -> None:
    """A POST that is said to be idempotent may be retried, one said to read may be paginated."""
    assert findings({"method": "POST"}, retry={}, annotations={"idempotent": True}) == []
    assert findings({"method": "POST"}, paginate={"link": True}, annotations={"read_only": True}) == []


@pytest.mark.parametrize(
    ("keys", "place"),
    [
        ({"auth": {"type": "digest"}}, ("auth",)),
        ({"auth": {"type": "api_key", "key": "k"}}, ("auth", "api_key")),
        ({"auth": {"type": "api_key", "key": "k", "header": "a", "query": "b"}}, ("auth", "api_key")),
        ({"paginate": {}}, ("paginate",)),
        ({"paginate": {"link": True, "page": "p"}}, ("paginate",)),
        ({"paginate": {"cursor": "a"}}, ("paginate",)),
        ({"paginate": {"link": True, "start": 2}}, ("paginate",)),
        ({"paginate": {"next": "a["}}, ("paginate", "next")),
        ({"retry": {"max": 99}}, ("retry", "max")),
        ({"max_bytes": "0B"}, ("max_bytes",)),
        ({"request": {"url": URL, "method": "get"}}, ("request", "method")),
        ({"request": {"url": "{{"}}, ("request", "url")),
        ({"request": {"url": URL, "query": {"a": {"b": 1}}}}, ("request", "query", "a")),
        ({"request": {"url": URL, "body": {"a": "{{"}}}, ("request", "body", "a")),
    ],
)
def test_the_spec_refuses(keys: dict[str, Any], place: tuple[str, ...]) -> None:
    """Wrong values are refused at their key."""
    with pytest.raises(ValidationError) as caught:
        HttpSpec.model_validate({"kind": "http", "description": "x", "request": {"url": URL}, **keys})
    assert [error["loc"] for error in caught.value.errors()] == [place]


@pytest.mark.parametrize(
    ("method", "expected"),
    [("GET", (True, False, True)), ("HEAD", (True, False, True)), ("PUT", (False, True, True)),
     ("DELETE", (False, True, True)), ("POST", (False, True, False)), ("PATCH", (False, True, False))],
)  # fmt: skip
def test_annotations_follow_from_the_method(method: str, expected: tuple[bool, bool, bool]) -> None:
    """RFC 9110 says which methods are safe and which are idempotent."""
    request = {"url": URL, "method": method}
    spec = HttpSpec.model_validate({"kind": "http", "description": "x", "request": request})
    assert (spec.behaviour.read_only, spec.behaviour.destructive, spec.behaviour.idempotent) == expected


def test_shapes_are_compared_with_the_answers_of_tests() -> None:
    """What a shape names and no successful answer has is a warning; an answer that is an error says nothing."""
    answers = [
        {"response": {"items": [{"id": 1}]}, "expect": []},
        {"response": {"status": 404, "body": {"idd": 1}}, "error": "http_status"},
        {"responses": [{"status": 503}, '{"items": []}'], "expect": []},
    ]
    found = findings({}, output="items[].idd", tests=answers)
    assert [(each.key, each.code, each.offset, each.severity) for each in found] == [
        (("output",), "HG1304", 8, "warning")
    ]
    assert findings({}, output="items[].id", tests=answers) == []
    pages = {"next": "links.next", "items": "itms"}
    found = findings({}, output="[].whatever", paginate=pages, tests=answers)
    assert [(each.key, each.hint) for each in found] == [(("paginate", "items"), "did you mean 'items'?")]
