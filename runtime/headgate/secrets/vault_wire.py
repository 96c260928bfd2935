"""Requests to Vault's HTTP API, with its answers turned into bodies or failures."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

import httpx2

from headgate.core.errors import EgressRefused
from headgate.net.client import exchange, read_start
from headgate.secrets.content import parse_members
from headgate.secrets.failures import SecretDenied, SecretError, SecretNotFound, SecretUnavailable

MAX_ANSWER = 1 << 20
"""The largest answer, in bytes."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A body that is a JSON object."""

    body: dict[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True)
class VaultWire:
    """One Vault server and namespace; `timeout` in seconds is for each whole request."""

    client: httpx2.AsyncClient = field(repr=False)
    address: str
    namespace: str | None = None
    timeout: float = 10.0

    async def ask(self, method: str, path: str, *, token: str = "", body: dict[str, Any] | None = None) -> Answer:
        """The answer to one request; raises `SecretError`. Vault's own words are not repeated."""
        headers = {"X-Vault-Request": "true"}
        if token:
            headers["X-Vault-Token"] = token
        if self.namespace:
            headers["X-Vault-Namespace"] = self.namespace
        url = f"{self.address.rstrip('/')}/v1/{path}"
        request = self.client.build_request(method, url, headers=headers, json=body)
        try:
            async with asyncio.timeout(self.timeout), exchange(self.client, request) as response:
                data = await read_start(response, MAX_ANSWER)
        except EgressRefused as error:
            raise SecretUnavailable(f"Vault may not be asked: {error.message}") from error
        except (TimeoutError, httpx2.TimeoutException):
            raise SecretUnavailable("Vault took too long to answer", retryable=True) from None
        except httpx2.HTTPError:
            raise SecretUnavailable("Vault could not be reached", retryable=True) from None
        if response.status_code != 200:
            raise _failure(response.status_code)
        members = parse_members(data)
        if members is None:
            raise SecretUnavailable("the answer of Vault is not a JSON object")
        return Answer(members)


def _failure(status: int) -> SecretError:
    """What a status means (Vault API, "HTTP status codes"); 400 is also how a login with a bad secret id is refused."""
    if status == 404:
        return SecretNotFound("Vault has no such secret")
    if status in (400, 401, 403):
        return SecretDenied(f"Vault refused the request with status {status}")
    if status == 503:
        return SecretUnavailable("Vault is sealed or in maintenance", retryable=True)
    return SecretUnavailable(f"Vault answered with status {status}", retryable=status >= 500 or status in (412, 429))
