"""The mock API, and what opens providers against it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any

import httpx2
import pytest

from headgate.core.kind import Env
from headgate.core.ports import Provider
from headgate.providers import PROVIDERS
from headgate.testing.anthropic_api import AnthropicApi
from headgate.testing.openai_api import OpenAiApi

Open = Callable[..., AbstractAsyncContextManager[Provider]]


@pytest.fixture
async def api() -> AsyncIterator[AnthropicApi]:
    """A running mock of Anthropic's API."""
    async with AnthropicApi() as server:
        yield server


@pytest.fixture
async def http() -> AsyncIterator[httpx2.AsyncClient]:
    """The shared client that kinds get."""
    async with httpx2.AsyncClient() as client:
        yield client


@pytest.fixture
def open_kind(http: httpx2.AsyncClient) -> Open:
    """Opens a provider of a kind: `open_kind("scripted", files={"x.yaml": b"..."}, script="x.yaml")`."""

    def opening(
        kind: str, files: Mapping[str, bytes] | None = None, scrub: Callable[[str], str] = str, **spec: Any
    ) -> AbstractAsyncContextManager[Provider]:
        def read(path: str) -> bytes:
            if path not in (files or {}):
                raise FileNotFoundError(path)
            return (files or {})[path]

        found = PROVIDERS[kind]
        env = Env(name="claude", http=http, read=read, scrub=scrub)
        return found.open(found.spec.model_validate(spec), env)

    return opening


@pytest.fixture
async def claude(api: AnthropicApi, open_kind: Open) -> AsyncIterator[Provider]:
    """A provider of kind `anthropic` on the mock."""
    async with open_kind("anthropic", api_key="sk-test", base_url=api.url) as provider:
        yield provider


@pytest.fixture
async def openai_api() -> AsyncIterator[OpenAiApi]:
    """A running mock of OpenAI's APIs."""
    async with OpenAiApi() as server:
        yield server


@pytest.fixture
async def gpt(openai_api: OpenAiApi, open_kind: Open) -> AsyncIterator[Provider]:
    """A provider of kind `openai` on the mock."""
    options = {"api_key": "sk-test", "base_url": openai_api.base}
    async with open_kind("openai", **options) as provider:
        yield provider


@pytest.fixture
async def chat(openai_api: OpenAiApi, open_kind: Open) -> AsyncIterator[Provider]:
    """A provider of kind `openai_chat` on the mock."""
    options = {"api_key": "sk-test", "base_url": openai_api.base, "model": "any"}
    async with open_kind("openai_chat", **options) as provider:
        yield provider
