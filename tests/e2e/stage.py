"""A gateway whose agent may be played by all four kinds of providers; those that are remote by the mocks that ship."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from headgate.testing import anthropic_replies, openai_replies
from headgate.testing.anthropic_api import AnthropicApi
from headgate.testing.harness import Events, Live, live
from headgate.testing.openai_api import OpenAiApi
from tests.conftest import Tree

MODEL = "gpt-6-sol"
MODELS = {"anthropic": "claude/auto", "openai": "gpt/auto", "openai_chat": "chat/auto", "scripted": "default/auto"}
"""The model of each kind of provider, as an agent or a request names it."""
REMOTE = ("anthropic", "openai", "openai_chat")
SPOKEN = {"anthropic": 4, "openai": 4, "openai_chat": 2}
"""After how many events of its stream a turn that begins with text has said its first piece."""


def replies(kind: str) -> Any:
    """The builders of a kind's replies: both modules have the same ones."""
    return anthropic_replies if kind == "anthropic" else openai_replies


def adding(kind: str) -> Any:
    """A turn that thinks, speaks, and adds two pairs of numbers side by side."""
    made = replies(kind)
    calls = [made.tool("add", {"a": a, "b": a + 1}, id=f"{kind}_{a}") for a in (1, 3)]
    return made.turn(made.thinking("I ", "add."), made.text("Adding. "), *calls)


def saying(kind: str, *pieces: str) -> Any:
    """A turn that says these pieces."""
    made = replies(kind)
    return made.turn(made.text(*pieces))


def overloaded(kind: str, *pieces: str) -> Any:
    """A turn that says these pieces and is then broken off by an error inside the stream."""
    made = replies(kind)
    return made.failing(made.text(*pieces), **({} if kind == "anthropic" else {"code": "server_is_overloaded"}))


def refused(kind: str, status: int, **headers: str) -> Any:
    """A refusal with this status; `_` in the name of a header stands for `-`."""
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return replies(kind).error(status, "overloaded_error", "Too much", sent)


@dataclass(frozen=True, slots=True)
class Stage:
    """The gateway and the mocks behind it."""

    gateway: Live
    claude: AnthropicApi
    gpt: OpenAiApi

    def mock(self, kind: str) -> Any:
        """The mock that a kind of provider asks."""
        return self.claude if kind == "anthropic" else self.gpt

    def cue(self, kind: str, *turns: Any) -> None:
        """The next answers of the mock behind this kind; a script answers by itself."""
        if kind != "scripted":
            self.mock(kind).queue(*turns)


def providers(claude: AnthropicApi, gpt: OpenAiApi, more: str) -> str:
    """The tables of the remote providers; `more` is added to each."""
    shared = (
        f'api_key = "sk-test-of-the-mocks"\nmodel = "{MODEL}"\nthinking = "low"\nstall_timeout = "1s"\n'
        f'retry = {{max = 4, backoff = "1ms"}}\n{more}\n'
    )
    return (
        f'[providers.claude]\nkind = "anthropic"\nbase_url = "{claude.url}"\n{shared}'
        f'[providers.gpt]\nkind = "openai"\nbase_url = "{gpt.base}"\n{shared}'
        f'[providers.chat]\nkind = "openai_chat"\npreset = "openai"\nbase_url = "{gpt.base}"\n{shared}'
    )


@contextlib.asynccontextmanager
async def staged(tree: Tree, *, script: str = "", more: str = "", toml: str = "", **keys: Any) -> AsyncIterator[Stage]:
    """The stage; `more` is added to every remote provider, `toml` to the gateway, and `keys` are the agent's."""
    async with AnthropicApi() as claude, OpenAiApi() as gpt:
        root = tree(script or "- {text: Hello}\n", toml=providers(claude, gpt, more) + toml, **keys)
        async with live(root, watch=False) as gateway:
            yield Stage(gateway, claude, gpt)


def kinds(events: Events) -> list[str]:
    """The types of the events."""
    return [event["type"] for event in events]
