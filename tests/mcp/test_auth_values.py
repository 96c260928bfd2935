"""What the types of authentication take and refuse, without any server."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from pydantic import ValidationError

from headgate.core.errors import ToolError
from headgate.core.kind import Scope
from headgate.mcp.auth_command import read_printed
from headgate.mcp.auth_google import read_account
from headgate.mcp.checks import check
from headgate.mcp.policy import refusals
from headgate.mcp.spec import Policy, ServerSpec

URL = "https://mcp.example.com/mcp"
OAUTH2 = {"type": "oauth2_client_credentials", "token_url": "https://id.example.com/token", "client_id": "me"}


def server(auth: dict[str, Any], **keys: Any) -> ServerSpec:
    """A server with this `auth`."""
    return ServerSpec.model_validate({"url": URL, "auth": auth, **keys})


@pytest.mark.parametrize(
    ("auth", "place"),
    [
        ({"type": "bearer"}, ("auth", "bearer", "token")),
        ({"type": "bearer", "token": "t", "key": "k"}, ("auth", "bearer", "key")),
        ({"type": "api_key", "header": "a b", "key": "k"}, ("auth", "api_key", "header")),
        (OAUTH2, ("auth", "oauth2_client_credentials", "client_secret")),
        ({**OAUTH2, "client_secret": "s", "scopes": "a b"}, ("auth", "oauth2_client_credentials", "scopes")),
        ({**OAUTH2, "client_secret": "s", "auth_method": "x"}, ("auth", "oauth2_client_credentials", "auth_method")),
        ({**OAUTH2, "client_secret": "s", "token_url": "x"}, ("auth", "oauth2_client_credentials", "token_url")),
        ({"type": "google_service_account", "service_account_json": "{}", "scopes": []}, ("auth",)),
        ({"type": "command", "argv": []}, ("auth", "command", "argv")),
        ({"type": "command", "argv": ["x"], "env": ["A=1"]}, ("auth", "command", "env", 0)),
        ({"token": "t"}, ("auth",)),
        ({"type": "none"}, ("auth",)),
    ],
)
def test_what_is_wrong_is_told_by_its_place(auth: dict[str, Any], place: tuple[str | int, ...]) -> None:
    """Keys that are missing, foreign to the type or of another form are found."""
    with pytest.raises(ValidationError) as caught:
        server(auth)
    assert all(each["loc"][: len(place)] == place for each in caught.value.errors())


def test_a_header_has_one_owner() -> None:
    """A header that `auth` sets cannot stand in `headers` too, in whatever case."""
    mixed = server({"type": "api_key", "header": "X-Own", "key": "k"}, headers={"x-own": "v"})
    assert [(each.key, "X-Own" in each.message) for each in check(mixed, Scope("s"))] == [(("auth",), True)]
    apart = server({"type": "api_key", "header": "X-Own", "key": "k"}, headers={"Authorization": "v"})
    assert list(check(apart, Scope("s"))) == []
    taken = server({"type": "bearer", "token": "k"}, headers={"authorization": "v"})
    assert [each.key for each in check(taken, Scope("s"))] == [("auth",)]


def test_the_policy_covers_programs_that_print_tokens() -> None:
    """A program that the policy does not let servers run is not run for a token either."""
    spec = server({"type": "command", "argv": ["gcloud", "auth"]})
    assert [each.key for each in refusals(Policy(commands=("npx",)), spec)] == [("auth", "argv", 0)]
    assert list(refusals(Policy(commands=("gcloud",)), spec)) == []


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("s3cret", "is not JSON"),
        ('["s3cret"]', "is not JSON"),
        ({"type": "authorized_user", "client_secret": "s3cret"}, "'type' is another"),
        ({"type": "service_account", "private_key": "s3cret"}, "has no 'client_email'"),
        ({"type": "service_account", "client_email": "a", "private_key": "s3cret"}, "no RSA key"),
    ],
)
def test_a_key_file_that_is_none(content: Any, said: str) -> None:
    """The sentence says what is wrong, and shows nothing of the content."""
    text = content if isinstance(content, str) else json.dumps(content)
    with pytest.raises(ValueError, match=re.escape(said)) as caught:
        read_account(text)
    assert "s3cret" not in str(caught.value)
    with pytest.raises(ValidationError) as refused:
        server({"type": "google_service_account", "service_account_json": text, "scopes": ["a"]})
    assert said in refused.value.errors()[0]["msg"]


@pytest.mark.parametrize(
    ("printed", "value", "lifetime"),
    [
        ("tok\n", "tok", 300.0),
        ('{"token": "tok"}', "tok", 300.0),
        ('{"access_token": "tok", "expires_in": "60"}', "tok", 60.0),
        ('{"token": "tok", "expires_in": "soon"}', "tok", 300.0),
        ('{"token": "tok", "expires_at": 1060}', "tok", 60.0),
        ('{"token": "tok", "expires_at": "1970-01-01T00:18:00Z"}', "tok", 80.0),
        ('{"token": "tok", "expires_at": "1970-01-01T01:18:00+01:00"}', "tok", 80.0),
        ('{"token": "tok", "expires_at": "1970-01-01T00:18:00"}', "tok", 80.0),
    ],
)
def test_forms_of_printed_tokens(printed: str, value: str, lifetime: float) -> None:
    """A bare token, or JSON with its life or its end; times without a zone are UTC."""
    token = read_printed(printed, 300.0, 1000.0)
    assert (token.value, token.lifetime) == (value, lifetime)


@pytest.mark.parametrize(
    ("printed", "said"),
    [
        ("", "neither"),
        ("two words", "neither"),
        ("a\nb", "neither"),
        ('{"secret": "s3cret"}', "neither"),
        ('{"token": 7}', "neither"),
        ('{"token": "s3cret", "expires_at": 999}', "has expired"),
        ('{"token": "s3cret", "expires_at": "tomorrow"}', "is no time"),
    ],
)
def test_what_is_no_token(printed: str, said: str) -> None:
    """It is an auth error that shows nothing of what was printed."""
    with pytest.raises(ToolError, match=said) as caught:
        read_printed(printed, 300.0, 1000.0)
    assert caught.value.code == "auth_error"
    assert "s3cret" not in caught.value.message
