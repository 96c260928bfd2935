"""Vault: reading, versions, failures, logins and renewals."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from headgate.core.kind import Scope
from headgate.secrets.cache import CachedBackend
from headgate.secrets.failures import SecretDenied, SecretUnavailable
from headgate.secrets.vault import KIND, VaultSpec, open_source
from headgate.testing.secret_kit import check_failure, check_rotation, check_value, environment, opened
from headgate.testing.vault_api import ROLE_ID, ROOT_TOKEN, SECRET_ID, Lease, VaultApi

APPROLE = {"approle": {"role_id": ROLE_ID, "secret_id": SECRET_ID}}


@pytest.fixture
async def vault() -> AsyncIterator[VaultApi]:
    """A Vault with one secret."""
    async with VaultApi() as api:
        api.put("app/db", user="u", password="pass-hush")
        yield api


@pytest.fixture
async def login(vault: VaultApi) -> AsyncIterator[CachedBackend]:
    """A back-end that logs in and keeps no secret, on the fake's clock."""
    spec = VaultSpec.model_validate({"kind": "vault", "address": vault.url, **APPROLE})
    async with environment() as env:
        yield CachedBackend(open_source(spec, env, vault.clock).load, 0, vault.clock)


async def test_a_secret_is_read_with_a_token(vault: VaultApi) -> None:
    """The key names a member; without one there must be a single member."""
    vault.put("one", value="single-hush")
    async with opened(KIND, {"address": vault.url, "token": ROOT_TOKEN}) as backend:
        await check_value(backend, "app/db", "password", "pass-hush")
        await check_value(backend, "one", None, "single-hush")
        await check_failure(backend, "app/db", None, "secret_not_found", "pass-hush")
        await check_failure(backend, "app/db", "gone", "secret_not_found", "pass-hush")


async def test_a_rotation_gives_another_version(vault: VaultApi) -> None:
    """What is written anew is read, with Vault's next version."""
    async with opened(KIND, {"address": vault.url, "ttl": "0s", **APPROLE}) as backend:
        before, after = await check_rotation(backend, "app/db", "user", lambda: vault.put("app/db", user="v"))
    assert (before.version[:2], after.version[:2]) == ("1@", "2@")


async def test_a_namespace_is_named_and_a_path_is_quoted(vault: VaultApi) -> None:
    """Spaces and question marks of a path stay in the path."""
    vault.namespace = "team/a"
    vault.put("a b?c", x="odd-hush")
    async with opened(KIND, {"address": vault.url, "token": ROOT_TOKEN, "namespace": "team/a"}) as backend:
        await check_value(backend, "a b?c", "x", "odd-hush")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"token": "hvs.wrong-hush"}, "secret_denied"),
        ({"approle": {"role_id": ROLE_ID, "secret_id": "wrong-hush"}}, "secret_denied"),
        ({"approle": {"role_id": ROLE_ID, "secret_id": SECRET_ID, "mount": "elsewhere"}}, "secret_denied"),
        ({"token": ROOT_TOKEN, "mount": "elsewhere"}, "secret_not_found"),
        ({"token": ROOT_TOKEN, "namespace": "other"}, "secret_not_found"),
    ],
)
async def test_bad_credentials_and_places_are_told(vault: VaultApi, body: dict[str, Any], code: str) -> None:
    """Without showing the token or the secret id."""
    async with opened(KIND, {"address": vault.url, **body}) as backend:
        await check_failure(backend, "app/db", "user", code, "hush", ROOT_TOKEN)


async def test_missing_and_deleted_secrets_are_not_found(vault: VaultApi) -> None:
    """A deleted newest version is as good as none."""
    vault.put("old", x="deleted-hush")
    vault.delete("old")
    async with opened(KIND, {"address": vault.url, "token": ROOT_TOKEN}) as backend:
        await check_failure(backend, "gone", None, "secret_not_found")
        await check_failure(backend, "old", "x", "secret_not_found", "deleted-hush")


@pytest.mark.parametrize(("status", "retryable"), [(503, True), (500, True), (429, True), (302, False)])
async def test_outages_are_unavailable(vault: VaultApi, status: int, *, retryable: bool) -> None:
    """Sealed, broken, busy: trying again may help; a redirect is not followed."""
    vault.status = status
    async with opened(KIND, {"address": vault.url, "token": ROOT_TOKEN}) as backend:
        failure = await check_failure(backend, "app/db", "user", "secret_unavailable", ROOT_TOKEN)
        assert failure.retryable is retryable
        vault.status = 0
        await check_value(backend, "app/db", "password", "pass-hush")


async def test_a_server_that_is_not_there_or_not_allowed_is_unavailable(vault: VaultApi) -> None:
    """A closed port and an address that the egress guard refuses."""
    async with opened(KIND, {"address": "http://127.0.0.1:1", "token": ROOT_TOKEN}) as backend:
        assert (await check_failure(backend, "x", None, "secret_unavailable", ROOT_TOKEN)).retryable
    spec = VaultSpec.model_validate({"kind": "vault", "address": vault.url, "token": ROOT_TOKEN})
    async with environment(allow="") as env:
        with pytest.raises(SecretUnavailable, match="may not be asked"):
            await open_source(spec, env).load("app/db")


async def test_one_login_serves_all_who_ask_at_once(vault: VaultApi, login: CachedBackend) -> None:
    """Readers that come while a login is under way wait for its token."""
    vault.put("other", x="1")
    vault.hold()
    reads = [asyncio.create_task(login.read(path, key)) for path, key in (("app/db", "user"), ("other", "x")) * 5]
    await vault.arrived()
    vault.release()
    assert {each.value for each in await asyncio.gather(*reads)} == {"u", "1"}
    assert vault.logins() == 1


async def test_a_token_is_renewed_before_it_ends(vault: VaultApi, login: CachedBackend) -> None:
    """In the last part of its life, once; the login is not repeated."""
    await login.read("app/db", "user")
    vault.advance(60)
    await login.read("app/db", "user")
    assert vault.renewals() == 0
    vault.advance(20)
    vault.put("other", x="1")
    await asyncio.gather(login.read("app/db", "user"), login.read("other", "x"))
    assert (vault.renewals(), vault.logins()) == (1, 1)


async def test_a_token_at_the_end_of_its_longest_life_is_replaced(vault: VaultApi, login: CachedBackend) -> None:
    """When renewing brings next to nothing, another login does."""
    vault.longest = 82
    await login.read("app/db", "user")
    vault.advance(80)
    assert (await login.read("app/db", "user")).value == "u"
    assert (vault.renewals(), vault.logins()) == (1, 2)


async def test_a_token_that_ended_or_was_revoked_is_replaced(vault: VaultApi, login: CachedBackend) -> None:
    """A refused token is followed by one login and one more try."""
    await login.read("app/db", "user")
    vault.advance(10)
    vault.revoke()
    assert (await login.read("app/db", "user")).value == "u"
    vault.advance(1000)
    assert (await login.read("app/db", "user")).value == "u"
    assert vault.logins() == 3


async def test_a_denied_path_does_not_make_logins_without_end(vault: VaultApi, login: CachedBackend) -> None:
    """A new token is not blamed for what its policies refuse."""
    vault.denied.add("no")
    for _ in range(3):
        vault.advance(0.1)
        await check_failure(login, "no", None, "secret_denied")
    assert vault.logins() == 1


async def test_an_outage_while_renewing_does_no_harm_while_the_token_lives(vault: VaultApi) -> None:
    """The token is used on; only its end makes the outage felt."""
    spec = VaultSpec.model_validate({"kind": "vault", "address": vault.url, **APPROLE})
    async with environment() as env:
        source = open_source(spec, env, vault.clock)
        await source.load("app/db")
        vault.advance(80)
        vault.status = 503
        with pytest.raises(SecretUnavailable):
            await source.load("app/db")
        vault.status = 0
        assert (await source.load("app/db")).pick("app/db", "user").value == "u"
    assert vault.logins() == 1


async def test_a_given_token_is_renewed_too_and_told_when_it_ends(vault: VaultApi) -> None:
    """Its life is looked up once; after its end nothing can replace it."""
    vault.tokens["hvs.mine"] = Lease(100, 100)
    spec = VaultSpec.model_validate({"kind": "vault", "address": vault.url, "token": "hvs.mine"})
    async with environment() as env:
        source = open_source(spec, env, vault.clock)
        await source.load("app/db")
        vault.advance(80)
        await source.load("app/db")
        assert (vault.renewals(), vault.logins()) == (1, 0)
        vault.advance(200)
        with pytest.raises(SecretDenied):
            await source.load("app/db")


async def test_an_endless_token_is_looked_up_once(vault: VaultApi) -> None:
    """The root token has no lease to renew."""
    spec = VaultSpec.model_validate({"kind": "vault", "address": vault.url, "token": ROOT_TOKEN})
    async with environment() as env:
        source = open_source(spec, env, vault.clock)
        for _ in range(3):
            vault.advance(10_000)
            await source.load("app/db")
    assert (vault.requests["GET /v1/auth/token/lookup-self"], vault.renewals()) == (1, 0)


@pytest.mark.parametrize(
    ("body", "key"),
    [
        ({"address": "vault:8200", "token": "t"}, ("address",)),
        ({"address": "https://v/x", "token": "t"}, ("address",)),
        ({"address": "https://u:p@v", "token": "t"}, ("address",)),
        ({"address": "https://v:99999", "token": "t"}, ("address",)),
        ({"address": "https://v"}, ()),
        ({"address": "https://v", "token": "t", **APPROLE}, ("approle",)),
    ],
)
def test_bad_tables_have_findings(body: dict[str, Any], key: tuple[str, ...]) -> None:
    """An address that is more or less than one, and no way or two ways to log in."""
    spec = KIND.spec.model_validate({"kind": "vault", **body})
    assert [each.key for each in KIND.check(spec, Scope("s"))] == [key]
