"""What the environment may change of requests."""

from __future__ import annotations

import asyncio
import os
import sys

import pytest

from headgate.testing.openai_api import OpenAiApi
from tests.providers.conftest import Open
from tests.providers.samples import play

CLIENT = """
import asyncio, sys
import httpx2
from headgate.core.kind import Env
from headgate.core.messages import Message, Text
from headgate.core.ports import ModelRequest
from headgate.providers import PROVIDERS

async def main(kind, url, key):
    found = PROVIDERS[kind]
    raw = {"base_url": url, "model": "m", **({"api_key": key} if key else {})}
    async with httpx2.AsyncClient() as http:
        env = Env(name="c", http=http, read=lambda path: b"")
        async with found.open(found.spec.model_validate(raw), env) as provider:
            request = ModelRequest(model="m", system="", messages=(Message("user", (Text("hi"),)),))
            async for event in provider.stream(request):
                pass

asyncio.run(main(*sys.argv[1:]))
"""
LEAKS = {
    "OPENAI_API_KEY": "sk-env",
    "OPENAI_ADMIN_KEY": "admin-env",
    "OPENAI_BASE_URL": "http://127.0.0.1:9/v1",
    "OPENAI_ORG_ID": "org-env",
    "OPENAI_PROJECT_ID": "project-env",
    "OPENAI_WEBHOOK_SECRET": "webhook-env",
    "OPENAI_CUSTOM_HEADERS": "X-Leak: yes\nAuthorization: Bearer leaked-env",
    "OPENROUTER_API_KEY": "router-env",
    "PYTHONPATH": os.pathsep.join(sys.path),
}


@pytest.mark.parametrize(
    ("kind", "key"), [("openai", "sk-manifest"), ("openai_chat", "sk-manifest"), ("openai_chat", "")]
)
async def test_environment_stays_out(kind: str, key: str) -> None:
    """The variables of OpenAI's SDK change neither the key, the address nor the headers of a request."""
    async with OpenAiApi(compatible=True) as api:
        command = [sys.executable, "-c", CLIENT, kind, api.base, key]
        child = await asyncio.create_subprocess_exec(*command, env={**os.environ, **LEAKS})
        assert await child.wait() == 0
    headers = api.requests[0].headers
    assert headers.get("authorization") == (f"Bearer {key}" if key else None)
    assert not headers.keys() & {"x-leak", "openai-organization", "openai-project"}
    assert "-env" not in str(headers)


@pytest.mark.parametrize(("user", "credential"), [("", None), ("us%40er:pass@", "Basic dXNAZXI6cGFzcw==")])
async def test_proxy(user: str, credential: str | None) -> None:
    """A proxy that the environment names is asked in place of the server, with its own credential."""
    async with OpenAiApi(compatible=True) as api:
        proxy = api.url.replace("http://", f"http://{user}")
        command = [sys.executable, "-c", CLIENT, "openai_chat", "http://models.invalid/v1", "sk-manifest"]
        variables = {"http_proxy": proxy, "no_proxy": "", "PYTHONPATH": os.pathsep.join(sys.path)}
        child = await asyncio.create_subprocess_exec(*command, env={**os.environ, **variables})
        assert await child.wait() == 0
    headers = api.requests[0].headers
    assert headers["host"] == "models.invalid"
    assert headers["authorization"] == "Bearer sk-manifest"
    assert headers.get("proxy-authorization") == credential


async def test_names_of_headers(openai_api: OpenAiApi, open_kind: Open) -> None:
    """A header of the manifest takes the place of one that is sent anyway, whatever the case of its name."""
    extra = {"authorization": "Bearer t", "user-agent": "ours", "ACCEPT-encoding": "gzip"}
    async with open_kind(
        "openai_chat", api_key="k", base_url=openai_api.base, model="m", extra_headers=extra
    ) as provider:
        await play(provider)
    headers = openai_api.requests[0].headers
    assert (headers["authorization"], headers["user-agent"]) == ("Bearer t", "ours")
    assert headers["accept-encoding"] == "gzip"
