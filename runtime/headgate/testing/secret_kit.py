"""What every kind of secret back-end must keep, as checks that a test of the kind calls; and how such tests open one.

A check raises `AssertionError` that says which contract was broken, and otherwise returns what it saw.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

from headgate.core.errors import GatewayError
from headgate.core.kind import Env, Kind, Scope, Spec
from headgate.core.ports import SecretBackend, SecretValue
from headgate.net.client import open_client
from headgate.net.egress import Egress

CODES = ("secret_not_found", "secret_denied", "secret_unavailable")
"""The codes that a failed read may have."""


@contextlib.asynccontextmanager
async def environment(environ: Mapping[str, str] | None = None, *, allow: str = "127.0.0.1") -> AsyncIterator[Env]:
    """What a back-end is opened with; it may reach loopback."""
    async with open_client(Egress((allow,) if allow else ())) as client:
        yield Env("sample", client, read=_read_nothing, environ=environ or {})


@contextlib.asynccontextmanager
async def opened(
    kind: Kind[Any, SecretBackend], body: Mapping[str, Any], environ: Mapping[str, str] | None = None
) -> AsyncIterator[SecretBackend]:
    """A back-end from the body of its table, which must be free of findings."""
    spec: Spec = kind.spec.model_validate({"kind": kind.name, **body})
    findings = list(kind.check(spec, Scope("sample")))
    assert not findings, f"the table has findings: {findings}"
    async with environment(environ) as env, kind.open(spec, env) as backend:
        yield backend


def _read_nothing(path: str) -> bytes:
    raise FileNotFoundError(path)


async def check_value(backend: SecretBackend, path: str, key: str | None, expected: str) -> SecretValue:
    """A secret that exists is read, again too, with a version that says nothing of it; its repr does not show it."""
    secret = await backend.read(path, key)
    assert secret.value == expected, "the value is another one"
    assert secret.version, "the value has no version"
    assert expected not in secret.version, "the version shows the value"
    assert expected not in repr(secret), "the repr shows the value"
    assert await backend.read(path, key) == secret, "the same secret read again is not the same"
    return secret


async def check_failure(backend: SecretBackend, path: str, key: str | None, code: str, *hidden: str) -> GatewayError:
    """A read that fails raises a `GatewayError` with that code and a sentence, without any of the `hidden` texts."""
    failure: GatewayError | None = None
    try:
        await backend.read(path, key)
    except GatewayError as error:
        failure = error
    assert failure is not None, "the read did not fail"
    assert failure.code in CODES, f"{failure.code} is not the code of a failed read"
    assert failure.code == code, f"the code is {failure.code}: {failure.message}"
    assert failure.message, "the failure has no message"
    shown = f"{failure!r} {failure} {failure.details}"
    assert not [text for text in hidden if text in shown], "the failure shows a secret"
    return failure


async def check_rotation(
    backend: SecretBackend, path: str, key: str | None, rotate: Callable[[], object]
) -> tuple[SecretValue, SecretValue]:
    """After a rotation, a back-end that keeps nothing has another value and another version."""
    before = await backend.read(path, key)
    rotate()
    after = await backend.read(path, key)
    assert after.value != before.value, "the value is still the old one"
    assert after.version != before.version, "the version is still the old one"
    return before, after
