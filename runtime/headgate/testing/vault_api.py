"""A Vault on a free port of 127.0.0.1: KV version 2, AppRole logins, tokens that end, outages."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import msgspec
from aiohttp import web

ROLE_ID, SECRET_ID, ROOT_TOKEN = "role-1", "hush-secret-id", "hvs.root"


@dataclass
class Lease:
    """A token's time: when it ends on the fake's clock, for how long a renewal prolongs it, and until when at most."""

    ends_at: float
    period: float
    renewable: bool = True
    most: float = float("inf")


@dataclass
class Secret:
    """A secret's newest data and its number; None stands for a deleted version."""

    data: dict[str, Any] | None
    version: int = 1


@dataclass
class VaultApi:
    """The server, as an async context manager; `url` is its address. Nothing passes on its clock but by `advance`.

    `requests` counts by `METHOD path`. With `status` set, every request is answered with it. Paths in `denied` are
    refused for everybody. After `hold`, answers to logins wait for `release`.
    """

    mount: str = "secret"
    namespace: str = ""
    lifetime: float = 100.0
    longest: float = float("inf")
    status: int = 0
    denied: set[str] = field(default_factory=set)
    secrets: dict[str, Secret] = field(default_factory=dict)
    tokens: dict[str, Lease] = field(default_factory=lambda: {ROOT_TOKEN: Lease(float("inf"), 0, renewable=False)})
    requests: Counter[str] = field(default_factory=Counter)
    now: float = 0.0
    url: str = ""

    async def __aenter__(self) -> VaultApi:
        self._names = itertools.count(1)
        self._gate = asyncio.Event()
        self._gate.set()
        self._arrived = asyncio.Event()
        app = web.Application(middlewares=[self._guard])
        app.router.add_get(f"/v1/{self.mount}/data/{{path:.+}}", self._read)
        app.router.add_post("/v1/auth/approle/login", self._log_in)
        app.router.add_get("/v1/auth/token/lookup-self", self._look_up)
        app.router.add_post("/v1/auth/token/renew-self", self._renew)
        self._runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = "http://{}:{}".format(*self._runner.addresses[0][:2])
        return self

    async def __aexit__(self, *_: object) -> None:
        self._gate.set()
        await self._runner.cleanup()

    def clock(self) -> float:
        """The fake's time, in seconds."""
        return self.now

    def advance(self, seconds: float) -> None:
        """Lets time pass, so that tokens end."""
        self.now += seconds

    def put(self, path: str, **data: Any) -> None:
        """Writes a secret; again, it is a rotation."""
        before = self.secrets.get(path)
        self.secrets[path] = Secret(data, before.version + 1 if before else 1)

    def delete(self, path: str) -> None:
        """Deletes the newest version of a secret."""
        self.secrets[path].data = None

    def revoke(self) -> None:
        """Ends every token."""
        self.tokens.clear()

    def hold(self) -> None:
        """Keeps answers to logins back."""
        self._gate.clear()

    async def arrived(self) -> None:
        """Waits until somebody logs in."""
        await self._arrived.wait()

    def release(self) -> None:
        """Gives them."""
        self._gate.set()

    def logins(self) -> int:
        """How many logins were asked for."""
        return self.requests["POST /v1/auth/approle/login"]

    def renewals(self) -> int:
        """How many renewals were asked for."""
        return self.requests["POST /v1/auth/token/renew-self"]

    @web.middleware
    async def _guard(self, request: web.Request, handler: Any) -> web.StreamResponse:
        self.requests[f"{request.method} {request.path}"] += 1
        if self.status:
            return _errors(self.status, "Vault is sealed" if self.status == 503 else "the fake was told to fail")
        if request.headers.get("X-Vault-Namespace", "") != self.namespace:
            return _errors(404, "no handler for route")
        if request.path != "/v1/auth/approle/login" and self._lease(request) is None:
            return _errors(403, "permission denied")
        response: web.StreamResponse = await handler(request)
        return response

    def _lease(self, request: web.Request) -> Lease | None:
        lease = self.tokens.get(request.headers.get("X-Vault-Token", ""))
        return lease if lease is not None and self.now < lease.ends_at else None

    async def _read(self, request: web.Request) -> web.Response:
        path = request.match_info["path"]
        if path in self.denied:
            return _errors(403, "1 error occurred: permission denied")
        secret = self.secrets.get(path)
        if secret is None:
            return web.json_response({"errors": []}, status=404)
        metadata = {"version": secret.version, "created_time": "2026-11-20T00:00:00Z", "destroyed": False}
        body = {"data": {"data": secret.data, "metadata": metadata}}
        return web.json_response(body, status=404 if secret.data is None else 200)

    async def _log_in(self, request: web.Request) -> web.Response:
        self._arrived.set()
        await self._gate.wait()
        given = msgspec.json.decode(await request.read())
        if given != {"role_id": ROLE_ID, "secret_id": SECRET_ID}:
            return _errors(400, "invalid role or secret ID")
        token = f"hvs.{next(self._names)}"
        self.tokens[token] = Lease(self.now + self.lifetime, self.lifetime, most=self.now + self.longest)
        auth = {"client_token": token, "lease_duration": self.lifetime, "renewable": True}
        return web.json_response({"auth": auth})

    async def _look_up(self, request: web.Request) -> web.Response:
        lease = self.tokens[request.headers["X-Vault-Token"]]
        left = 0 if lease.ends_at == float("inf") else lease.ends_at - self.now
        return web.json_response({"data": {"ttl": left, "renewable": lease.renewable}})

    async def _renew(self, request: web.Request) -> web.Response:
        token = request.headers["X-Vault-Token"]
        lease = self.tokens[token]
        if not lease.renewable:
            return _errors(400, "lease is not renewable")
        lease.ends_at = min(self.now + lease.period, lease.most)
        auth = {"client_token": token, "lease_duration": lease.ends_at - self.now, "renewable": True}
        return web.json_response({"auth": auth})


def _errors(status: int, message: str) -> web.Response:
    return web.json_response({"errors": [message]}, status=status)
