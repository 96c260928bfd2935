"""The provider kind `scripted`."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from pydantic import ValidationError

from headgate.core.errors import ConfigError
from headgate.core.messages import Text, Thinking, ToolCall, Usage
from headgate.core.ports import Restarted, TextChunk, ThinkingChunk, TurnDone
from headgate.providers import PROVIDERS
from headgate.providers.attempts import Attempts, Candidate
from headgate.providers.scripted import ScriptedSpec
from headgate.providers.settings import Retry
from headgate.testing.pauses import NoPauses
from tests.providers.conftest import Open
from tests.providers.samples import answer, ask, assistant, call, failure, finish, play, user

SCRIPT = b"""# what the demo says
- when: {user_contains: plan}
  thinking: I look it up.
  call: lookup_customer
  args: {name: "{{ user }}"}
- when: {result_contains: gold}
  text: "They are on {{ result.plan }}."
- text: |
    Hello,
      you said {{ user }}
"""


async def test_streams_words(open_kind: Open) -> None:
    """Thinking and text come word by word and make the message; tokens are words, and cost nothing."""
    turns = [{"thinking": "hm hm", "text": " Hello,  dear {{ user }}\n"}]
    async with open_kind("scripted", turns=turns) as provider:
        *chunks, done = await play(provider, ask(user("old friend"), system="Be nice."))
    assert chunks[:2] == [ThinkingChunk("hm "), ThinkingChunk("hm")]
    assert chunks[2:] == [TextChunk(part) for part in (" ", "Hello,  ", "dear ", "old ", "friend\n")]
    assert isinstance(done, TurnDone)
    assert done.message.parts == (Thinking("hm hm"), Text(" Hello,  dear old friend\n"))
    assert (done.usage, done.cost, done.stop) == (Usage(4, 6, reasoning=2), 0.0, "end")


async def test_calls(open_kind: Open) -> None:
    """Calls carry filled arguments and ids made of run, turn and place."""
    calls = [{"call": "a", "args": {"n": "{{ result.n }}"}}, {"call": "b"}]
    async with open_kind("scripted", turns=[{"call": "first"}, {"text": "Now", "calls": calls}]) as provider:
        done = await finish(provider, ask(user(), assistant(call()), answer({"n": 3}), turn=2))
    assert done.stop == "tools"
    assert done.message.calls == (ToolCall("call_r_2_0", "a", {"n": 3}), ToolCall("call_r_2_1", "b", {}))


async def test_same_again(open_kind: Open) -> None:
    """The same transcript gives the same events, at any time."""
    async with open_kind("scripted", files={"s.yaml": SCRIPT}, script="s.yaml") as provider:
        assert await play(provider) == await play(provider)


async def test_file(open_kind: Open) -> None:
    """A script in a file of the tree is played, through a tool call to the end."""
    async with open_kind("scripted", files={"s.yaml": SCRIPT}, script="s.yaml") as provider:
        first = await finish(provider, ask(user("ACME's plan?")))
        assert first.message.calls[0].args == {"name": "ACME's plan?"}
        messages = (user("ACME's plan?"), first.message, answer({"plan": "gold"}, first.message.calls[0].id))
        assert (await finish(provider, ask(*messages))).message.text == "They are on gold."
        assert (await finish(provider, ask(user("hey")))).message.text == "Hello,\n  you said hey\n"


async def test_error_turns(open_kind: Open) -> None:
    """An error turn fails as a provider with that status would, and a retry goes on behind it."""
    async with open_kind("scripted", turns=[{"error": 529}, {"text": "ok"}]) as provider:
        error = await failure(provider)
        assert (error.code, error.status, error.retryable) == ("provider_overloaded", 529, True)
        model = Attempts([Candidate(provider, "scripted", Retry(), 60.0)], clock=NoPauses())
        restarted, *rest = await play(model)
    assert isinstance(restarted, Restarted)
    assert rest[0] == TextChunk("ok")


async def test_exhausted(open_kind: Open) -> None:
    """A script without a turn that fits fails, and no retry can help."""
    async with open_kind("scripted", turns=[{"text": "x", "when": {"user_contains": "plan"}}]) as provider:
        error = await failure(provider)
    assert (error.code, error.retryable) == ("script_exhausted", False)


async def test_mismatch(open_kind: Open) -> None:
    """A placeholder without its part fails the turn instead of inventing an answer."""
    async with open_kind("scripted", turns=[{"text": "{{ result.plan }}"}]) as provider:
        error = await failure(provider)
    assert (error.code, error.message) == ("script_mismatch", "there is no tool result yet for result.plan")


async def test_delays(open_kind: Open) -> None:
    """A turn's delay stands before every word, so that others run in between."""
    async with open_kind("scripted", turns=[{"delay": "1ms"}, {"text": "a b", "delay": "5ms"}], delay="1h") as provider:
        ticks = 0
        async for _ in provider.stream(ask()):
            await asyncio.sleep(0)
            ticks += 1
    assert ticks == 3


async def test_identity(open_kind: Open) -> None:
    """The model has a name, a demo says that it is one, and only allowed models are played."""
    async with open_kind("scripted", turns=[{"text": "a"}]) as plain:
        assert (plain.default_model, plain.demo) == ("scripted", False)
    options = {"turns": [{"text": "a"}], "model": "x", "demo": True, "allow_models": ["y"]}
    async with open_kind("scripted", **options) as provider:
        assert (provider.default_model, provider.demo) == ("x", True)
        assert (await finish(provider, ask(model="y"))).model == "y"
        assert (await failure(provider, ask(model="z"))).code == "provider_invalid_request"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (None, "s.yaml cannot be read"),
        (b"- text: [", "s.yaml:"),
        (b"- text: a\n- txt: b\n", "s.yaml:2:"),
        (b"text: a\n", "valid tuple"),
        (b"- text: a\n  text: b\n", "HG1006"),
    ],
)
async def test_bad_files(open_kind: Open, data: bytes | None, words: str) -> None:
    """A script that cannot be read is refused against the key that names it, with the place in the file."""
    files = {} if data is None else {"s.yaml": data}
    with pytest.raises(ConfigError, match=words) as caught:
        async with open_kind("scripted", files=files, script="s.yaml"):
            raise AssertionError("opened")
    assert caught.value.key == ("script",)


@pytest.mark.parametrize(
    "raw", [{}, {"script": "s.yaml", "turns": [{"text": "a"}]}, {"script": "s.toml"}, {"turns": []}, {"seed": 1}]
)
def test_bad_specs(raw: dict[str, Any]) -> None:
    """Exactly one source, a YAML file or at least one turn, and no other keys."""
    with pytest.raises(ValidationError):
        ScriptedSpec.model_validate(raw)


def test_files() -> None:
    """The kind names the file that it reads."""
    kind = PROVIDERS["scripted"]
    assert kind.files(ScriptedSpec(script="demo/s.yml")) == ("demo/s.yml",)
    assert kind.files(ScriptedSpec.model_validate({"turns": [{"text": "a"}]})) == ()
