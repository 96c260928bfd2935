"""`auth = {type = "oauth2_user"}`: what may stand there, and what grants are bound to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from headgate.compile.keyring import compile_tree
from headgate.core.kind import Scope
from headgate.kinds import DEFAULT_KINDS
from headgate.mcp.checks import check
from headgate.mcp.grants import Grant, Place, belongs, binding_of
from headgate.mcp.spec import ServerSpec
from headgate.testing.harness import agent_md, gateway_toml, write_tree

URL = "https://crm.example.com/mcp"


def server(url: str = URL, **auth: Any) -> ServerSpec:
    """A server with such an auth."""
    return ServerSpec.model_validate({"url": url, "auth": {"type": "oauth2_user", **auth}})


@pytest.mark.parametrize(
    ("auth", "keys"),
    [
        ({}, []),
        ({"client_id": "me"}, []),
        ({"client_id": "me", "client_secret": "s", "auth_method": "basic", "issuer": "https://login.example.com"}, []),
        ({"client_id": "me", "auth_method": "none"}, []),
        ({"metadata_url": "https://me.example.com/client.json"}, []),
        ({"client_secret": "s"}, [("auth", "client_secret")]),
        ({"auth_method": "post"}, [("auth", "auth_method")]),
        ({"client_id": "me", "metadata_url": "https://me.example.com/client.json"}, [("auth", "metadata_url")]),
        ({"client_id": "me", "auth_method": "basic"}, [("auth", "auth_method")]),
        ({"client_id": "me", "client_secret": "s", "auth_method": "none"}, [("auth", "auth_method")]),
    ],
)
def test_keys_that_go_together(auth: dict[str, Any], keys: list[tuple[str, str]]) -> None:
    """The gateway has one identity, and a secret belongs to an id."""
    assert [each.key for each in check(server(**auth), Scope("crm"))] == keys


def test_programs_have_no_accounts() -> None:
    """A program is not asked with tokens."""
    spec = ServerSpec.model_validate({"command": "npx", "auth": {"type": "oauth2_user", "client_secret": "s"}})
    assert [each.key for each in check(spec, Scope("crm"))] == [("auth",)]


@pytest.mark.parametrize(
    ("table", "found"),
    [
        ("", []),
        ('[server]\nhost = "::1"\n', []),
        ('[server]\nhost = "0.0.0.0"\n', ["HG1005"]),
        ('[server]\nhost = "0.0.0.0"\npublic_url = "https://gw.example.com"\n', []),
        ('[server]\npublic_url = "http://gw.example.com"\n', ["HG1404"]),
        ('[server]\npublic_url = "http://localhost:9000"\n', []),
    ],
)
async def test_where_people_come_back_to(tmp_path: Path, table: str, found: list[str]) -> None:
    """A gateway that others reach needs a public URL, and that has to be encrypted."""
    toml = f'{table}[mcp.servers.crm]\nurl = "{URL}"\nauth = {{type = "oauth2_user"}}\n'
    files = {
        "gateway.toml": gateway_toml(toml),
        "script.yaml": "- {text: x}\n",
        "agents/a.md": agent_md(model="default/auto"),
    }
    compiled = await compile_tree(write_tree(tmp_path, files), DEFAULT_KINDS, {})
    told = [each for each in compiled.shown if each.severity == "error"]
    assert [each.code for each in told] == found
    assert all("public_url" in each.message + each.hint for each in told)


def test_what_grants_are_bound_to() -> None:
    """Another URL, id, issuer or other scopes are another binding; a new secret or another order of scopes is not."""
    same = binding_of(server(client_id="me", client_secret="a", scopes=["x", "y"]))
    assert binding_of(server(client_id="me", client_secret="b", auth_method="basic", scopes=["y", "x"])) == same
    others = [
        server(client_id="you", scopes=["x", "y"]), server(client_id="me", scopes=["x"]),
        server(client_id="me", scopes=["x", "y"], issuer="https://login.example.com"),
        server(f"{URL}/", client_id="me", scopes=["x", "y"]),
        server(scopes=["x", "y"], metadata_url="https://me.example.com/client.json"),
    ]  # fmt: skip
    assert len({same, *map(binding_of, others)}) == 6
    assert not belongs("{}", others[0])
    assert not belongs("no JSON", others[0])


def test_what_is_shown_of_a_grant() -> None:
    """Neither a grant nor where it comes from shows a secret when it is printed."""
    place = Place(
        authorization_endpoint="https://a/authorize", token_endpoint="https://a/token", client_id="me", callback="c",
        client_secret="hidden-secret",
    )  # fmt: skip
    grant = Grant(
        id="g", binding="b", place=place, access_token="hidden-token", granted_at=1.0, refresh_token="hidden-refresh"
    )
    assert "hidden" not in repr([grant, place])


@pytest.mark.parametrize(
    ("method", "secret", "in_form", "in_header"),
    [(None, None, False, False), ("none", "s", False, False), ("client_secret_post", "s", True, False),
     ("client_secret_basic", "s", False, True), (None, "s", True, False)],
)  # fmt: skip
def test_how_the_gateway_signs(method: str | None, secret: str | None, in_form: bool, in_header: bool) -> None:
    """Id and secret are sent as the authorization server wants it."""
    place = Place(
        authorization_endpoint="https://a/authorize", token_endpoint="https://a/token", client_id="me", callback="c",
        auth_method=method,
    )  # fmt: skip
    form, headers = place.signed({"grant_type": "x"}, secret)
    assert ("client_secret" in form, "Authorization" in headers) == (in_form, in_header)
    assert form["grant_type"] == "x"
