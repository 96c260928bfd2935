"""`headgate serve` as users run it: what it prints, refuses, survives, and never says."""

from __future__ import annotations

import asyncio
import signal
import socket
import sqlite3
from contextlib import closing
from pathlib import Path

import httpx2

from headgate.testing.harness import KEY, Conversation, gateway_toml
from tests.conftest import Tree
from tests.e2e.process import result, served, start

DEMO = gateway_toml('[functions]\npackages = ["tests.workshop"]').replace(KEY, "local-demo-key")
SLOW = "- {when: {user_contains: slow}, delay: 10ms, text: '" + "word " * 300 + "'}\n- {text: Hello there}\n"
ENDLESS = SLOW.replace("10ms", "1s")


async def begun(http: httpx2.AsyncClient) -> Conversation:
    """A session of a process."""
    body = (await http.post("/api/chat/init", json={"api_key": KEY})).json()
    return Conversation(http, body["session_token"], body["session_id"])


async def test_the_printed_commands_work(tree: Tree) -> None:
    """The curl commands that it prints stream an answer when bash runs them as they are."""
    async with served(tree(files={"gateway.toml": DEMO})) as gateway:
        script = gateway.printed.partition("Try it:")[2]
        bash = await asyncio.create_subprocess_exec("bash", "-euc", script, stdout=asyncio.subprocess.PIPE)
        out, _ = await bash.communicate()
    assert bash.returncode == 0
    assert b'data: {"type":"stream_complete"' in out
    assert b'"status":"ok"' in out


async def test_no_wide_bind_with_the_demo_key(tree: Tree, tmp_path: Path) -> None:
    """Binding wider than loopback with the demo key is refused, and the key is named."""
    code, log = await result(str(tree(files={"gateway.toml": DEMO})), "--host", "0.0.0.0", errors=tmp_path / "log")
    assert code == 1
    assert "key 'tester' is the demo key, and the server binds 0.0.0.0" in log
    assert "Traceback" not in log


async def test_a_busy_port(tree: Tree, tmp_path: Path) -> None:
    """A port that is taken is said so, with what to do."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        code, log = await result(str(tree()), "--port", port, errors=tmp_path / "log")
    assert code == 1
    assert f"cannot listen on 127.0.0.1:{port}: Address already in use; choose another --port" in log


async def test_one_process_a_state_directory(tree: Tree, tmp_path: Path) -> None:
    """A second process on the same state is refused."""
    root = tree()
    async with served(root):
        code, log = await result(str(root), "--port", "0", errors=tmp_path / "second")
    assert code == 1
    assert "another gateway runs on" in log


async def test_a_broken_tree(tree: Tree, tmp_path: Path) -> None:
    """A tree with errors is not served; every finding is printed with its place."""
    code, log = await result(str(tree(tool="x", max_turns=0)), "--port", "0", errors=tmp_path / "log")
    assert code == 1
    assert "agents/helper.md:5:1: error[HG1003]" in log
    assert "agents/helper.md:6:" in log


async def test_a_signal_drains(tree: Tree) -> None:
    """At SIGTERM a running answer is finished, new work is refused, and the process ends with 0."""
    script = "- {delay: 20ms, text: 'one two three four five six seven eight nine ten'}\n"
    async with served(tree(script)) as gateway:
        session = await begun(gateway.http)
        session.messages.append({"role": "user", "content": "hi"})
        async with session.stream() as events:
            await anext(events)
            gateway.process.send_signal(signal.SIGTERM)
            found = [event async for event in events]
        assert found[-2]["text"] == "ten"
        assert found[-1]["type"] == "stream_complete"
        assert await gateway.process.wait() == 0


async def killed(root: Path) -> Conversation:
    """A chat whose gateway was killed in the middle of the answer."""
    async with served(root) as gateway:
        session = await begun(gateway.http)
        session.messages.append({"role": "user", "content": "slow"})
        async with session.stream() as events:
            await anext(events)
            gateway.process.kill()
            await gateway.process.wait()
    return session


def runs_of(root: Path) -> list[tuple[str, int, str]]:
    """State, fence and answer of every run, in the order in which they began, of a ledger that is whole."""
    with closing(sqlite3.connect(root / ".headgate" / "state.db")) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        return db.execute("SELECT state, fence, answer FROM runs ORDER BY created_at").fetchall()


async def until_run(root: Path, state: str) -> None:
    """Returns when the only run of a process has come to this state; fails after a minute."""
    async with asyncio.timeout(60):
        while runs_of(root)[0][0] != state:  # noqa: ASYNC110 -- it is another process that does it
            await asyncio.sleep(0.05)


async def test_a_kill_in_the_middle(tree: Tree) -> None:
    """After `kill -9` the run goes on by itself in the next process, from its last committed step, to its own end."""
    root = tree(SLOW)
    await killed(root)
    async with served(root):
        await until_run(root, "completed")
    assert runs_of(root) == [("completed", 2, "word " * 300)]


async def test_a_chat_after_a_kill(tree: Tree) -> None:
    """The same token chats on at once: the run that nobody listens to any more is ended, as it would be without it."""
    root = tree(ENDLESS)
    session = await killed(root)
    async with served(root) as gateway:
        again = Conversation(gateway.http, session.token, session.id)
        found = await again.say("hi")
    assert "".join(event.get("text", "") for event in found) == "Hello there"
    (cancelled, _, _), completed = runs_of(root)
    assert (cancelled, completed) == ("cancelled", ("completed", 1, "Hello there"))


async def test_no_secret_is_ever_said(tree: Tree) -> None:
    """Nothing that the process answers or logs holds a secret, even when a tool fails with it in its words."""
    script = "- {call: fail, args: {how: Leaky-Secret-77}}\n- {text: 'It is Leaky-Secret-77.'}\n"
    toml = '[auth.keys.other]\nkey = "${env:LEAK}"\n'
    async with served(tree(script, toml=toml), LEAK="Leaky-Secret-77", HEADGATE_LOG_LEVEL="debug") as gateway:
        session = await begun(gateway.http)
        await session.say("hi")
        headers = {"authorization": f"Bearer {KEY}"}
        shown = [
            (await gateway.http.get(path, headers=headers)).text
            for path in ("/v1/status", "/v1/agents", "/v1/admin/diagnostics", "/openapi.json")
        ]
        gateway.process.send_signal(signal.SIGTERM)
        rest = await gateway.process.stdout.read() if gateway.process.stdout else b""
    said = "".join([*shown, gateway.printed, rest.decode(), gateway.errors.read_text()])
    assert '"event": "run.' in said or "serving" in said
    assert "Leaky-Secret-77" not in said
    assert KEY not in said


async def test_usage(tree: Tree, tmp_path: Path) -> None:
    """A wrong option is a usage error."""
    process = await start(str(tree()), "--prot", "0", errors=tmp_path / "log")
    await process.communicate()
    assert process.returncode == 64
