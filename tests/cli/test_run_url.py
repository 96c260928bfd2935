"""One task for the agent of a server: the same answers and exit codes, and what can be wrong on the way there."""

from __future__ import annotations

from pathlib import Path

import pytest

from headgate.testing.anthropic_api import AnthropicApi
from headgate.testing.anthropic_replies import failing, text, tool, turn
from headgate.testing.harness import live
from tests.cli.console import headgate, report
from tests.cli.trees import KEYS, anthropic, tree


async def test_served_tree(tmp_path: Path) -> None:
    """A tree that a server runs on is not run a second time; the hint is to talk to the server."""
    async with live(tree(tmp_path)):
        done = await headgate("run", "helper", "hi", home=tmp_path)
    assert done.code == 1
    assert "another gateway runs on" in done.err
    assert "--url http://HOST:PORT" in done.err


async def test_url(tmp_path: Path) -> None:
    """Against a server the answer, the exit code and the report are the same."""
    async with live(tree(tmp_path)) as gateway:
        words = ("run", "helper", "compute it", "--format", "json", "--url", gateway.url)
        told = report(await headgate(*words, home=tmp_path, environ=KEYS))
        revision = gateway.gateway.snapshot.revision
    assert (told["outcome"], told["text"], told["turns"], told["model"]) == ("success", "It is 3.", 2, "scripted")
    assert [(each["name"], each["status"]) for each in told["tools"]] == [("calculate", "ok"), ("calculate", "error")]
    assert told["revision"] == revision
    assert told["usage"]["output"] > 0


@pytest.mark.parametrize(
    ("agent", "task", "code", "outcome"),
    [
        ("strict", "endless", 3, "max_turns"),
        ("helper", "broken", 1, "error"),
        ("helper", "slow", 124, "timeout"),
        ("typed", "hi", 1, "error"),
    ],
)
async def test_url_outcomes(agent: str, task: str, code: int, outcome: str, tmp_path: Path) -> None:
    """Against a server a run that does not end by its answer has the same exit code and outcome."""
    async with live(tree(tmp_path, timeout="100ms" if task == "slow" else "5m")) as gateway:
        words = ("run", agent, task, "--format", "json", "--url", gateway.url)
        done = await headgate(*words, home=tmp_path, environ=KEYS)
    assert (done.code, report(done)["outcome"]) == (code, outcome)


async def test_url_budget(tmp_path: Path) -> None:
    """Against a server a spent budget is exit code 2, and the server's note is not part of the answer."""
    usage = {"input_tokens": 100_000, "output_tokens": 100_000}
    async with AnthropicApi(turn(text("Dear"), tool("calculate", {"expression": "1"}), usage=usage)) as api:
        root = tree(tmp_path, provider=anthropic(api), budget_usd=0.01)
        async with live(root) as gateway:
            done = await headgate("run", "helper", "hi", "--url", gateway.url, home=root, environ=KEYS)
    assert (done.code, done.out) == (2, "Dear\n")


async def test_url_timeout(tmp_path: Path) -> None:
    """Against a server `--timeout` stops listening."""
    async with live(tree(tmp_path)) as gateway:
        words = ("run", "helper", "slow", "--timeout", "200ms", "--url", gateway.url)
        done = await headgate(*words, home=tmp_path, environ=KEYS)
    assert (done.code, done.out) == (124, "")


async def test_url_retry(tmp_path: Path) -> None:
    """Against a server the void text of a retried turn is discarded too."""
    replies = (failing(text("Void words")), turn(text("Real words")))
    async with AnthropicApi(*replies) as api, live(tree(tmp_path, provider=anthropic(api))) as gateway:
        done = await headgate("run", "helper", "hi", "--url", gateway.url, home=tmp_path, environ=KEYS)
    assert (done.code, done.out) == (0, "Real words\n")


@pytest.mark.parametrize(
    ("environ", "words", "said"),
    [
        ({}, (), "HEADGATE_API_KEY is not set"),
        ({}, ("--api-key-env", "OTHER"), "OTHER is not set"),
        ({"OTHER": "wrong-key"}, ("--api-key-env", "OTHER"), "Invalid API key"),
    ],
)
async def test_url_keys(environ: dict[str, str], words: tuple[str, ...], said: str, tmp_path: Path) -> None:
    """A key that is not there or not good is refused in words."""
    async with live(tree(tmp_path)) as gateway:
        done = await headgate("run", "helper", "hi", "--url", gateway.url, *words, home=tmp_path, environ=environ)
    assert (done.code, done.out) == (1, "")
    assert said in done.err


async def test_no_server(tmp_path: Path) -> None:
    """A server that is not there is an error that names the URL."""
    done = await headgate("run", "helper", "hi", "--url", "http://127.0.0.1:1", home=tmp_path, environ=KEYS)
    assert done.code == 1
    assert done.err.startswith("headgate: http://127.0.0.1:1: ")
