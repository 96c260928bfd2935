"""A conversation on a terminal and through pipes: what is shown, what is kept, what a key press does."""

from __future__ import annotations

from pathlib import Path

from headgate.testing.anthropic_api import AnthropicApi
from headgate.testing.anthropic_replies import failing, text, turn
from headgate.testing.harness import agent_md, live
from tests.cli.console import Console, console, headgate
from tests.cli.trees import KEYS, anthropic, tree

PASTED = "\x1b[200~{}\x1b[201~"
"""What a terminal sends for a text that is pasted (xterm's bracketed paste)."""


async def leave(shown: Console) -> int:
    """Waits for the prompt and presses Ctrl-D; the exit code."""
    await shown.see("> ")
    shown.type("\x04")
    return await shown.end()


async def test_turn(tmp_path: Path) -> None:
    """A turn shows its text, each call with arguments, result and duration in a line, and what it took."""
    async with console("chat", "helper", home=tree(tmp_path)) as shown:
        await shown.see("helper (scripted) at this folder. /help lists the commands.")
        assert "Let me compute. \n" in await shown.ask("compute it", "● calculate(")
        await shown.see('expression="1+2") → {"expression":"1+2",')
        assert " ms)" in await shown.see("It is 3.\n")
        assert "tokens in · " in await shown.see("$0.0000 · 2 turns\n")
        assert await leave(shown) == 0


async def test_failed_call(tmp_path: Path) -> None:
    """A call that failed is shown in red with its code."""
    async with console("chat", "helper", home=tree(tmp_path)) as shown:
        await shown.ask("compute it", '✗ calculate(expression="1+/") → not_arithmetic: ')
        await shown.see("2 turns\n")
    assert "\x1b[31m✗ calculate" in shown.raw


async def test_conversation(tmp_path: Path) -> None:
    """The model is shown the turns before; `/reset` makes it forget them."""
    async with AnthropicApi() as api, console("chat", "helper", home=tree(tmp_path, provider=anthropic(api))) as shown:
        await shown.ask("first", "Hello there\n")
        await shown.ask("second", "Hello there\n")
        await shown.ask("/reset", "a new conversation\n")
        await shown.ask("third", "Hello there\n")
        assert await leave(shown) == 0
        assert [len(each.body["messages"]) for each in api.requests] == [1, 3, 1]


async def test_retry(tmp_path: Path) -> None:
    """A retried turn shows its void text struck through, why, and then the new text."""
    async with AnthropicApi(failing(text("Void words")), turn(text("Real words"))) as api:
        root = tree(tmp_path, provider=anthropic(api))
        async with console("chat", "helper", home=root) as shown:
            await shown.ask("hi", "✗ Void words\n")
            await shown.see("↻ retry 1 with claude")
            assert "provider_overloaded" in await shown.see("Real words\n")
    assert "\x1b[2;9m✗ Void words" in shown.raw


async def test_error(tmp_path: Path) -> None:
    """An error is shown in red with its code, and the conversation goes on."""
    async with console("chat", "helper", home=tree(tmp_path)) as shown:
        await shown.ask("broken", "provider_invalid_request: ")
        await shown.ask("hi", "Hello.\n")
        assert await leave(shown) == 0
    assert "\x1b[1;31mprovider_invalid_request" in shown.raw


async def test_interrupt(tmp_path: Path) -> None:
    """Ctrl-C cancels the running turn and not the program."""
    async with console("chat", "helper", home=tree(tmp_path)) as shown:
        await shown.ask("begun", '"exact":"2"')
        shown.type("\x03")
        await shown.see("cancelled: interrupted\n")
        await shown.ask("hi", "Hello.\n")
        assert await leave(shown) == 0


async def test_interrupt_at_the_prompt(tmp_path: Path) -> None:
    """Ctrl-C at the prompt forgets what was typed."""
    async with console("chat", "helper", home=tree(tmp_path)) as shown:
        await shown.see("> ")
        shown.type("say never")
        await shown.see("say never")
        await shown.interrupt("\n> ")
        shown.type("again\n")
        await shown.see("You said: again\n")
        assert await leave(shown) == 0


async def test_commands(tmp_path: Path) -> None:
    """`/help` lists the commands, an unknown one is not sent, and `/quit` leaves."""
    async with console("chat", "helper", home=tree(tmp_path)) as shown:
        await shown.ask("/help", "/quit  leave")
        await shown.ask("/nothing", "there is no command /nothing; /help lists them\n")
        await shown.ask("/quit", "\n")
        assert await shown.end() == 0
    assert "Hello." not in shown.text


async def test_paste(tmp_path: Path) -> None:
    """A pasted text of several lines is one turn."""
    async with console("chat", "helper", home=tree(tmp_path)) as shown:
        await shown.ask(PASTED.format("again\nand again"), "You said: again\nand again\n")
        assert await leave(shown) == 0


async def test_continued_line(tmp_path: Path) -> None:
    """A line that ends in a backslash goes on in the next."""
    async with console("chat", "helper", home=tree(tmp_path)) as shown:
        await shown.ask("again\\", "\n. ")
        shown.type("and again\n")
        await shown.see("You said: again\nand again\n")


async def test_thinking(tmp_path: Path) -> None:
    """Thinking is shown, dimmed, to those who ask for it."""
    async with console("chat", "helper", "--show-thinking", home=tree(tmp_path)) as shown:
        await shown.ask("think", "deep thoughts\nThought.\n")
    assert "\x1b[2;3mdeep" in shown.raw


async def test_hidden_thinking(tmp_path: Path) -> None:
    """Thinking is not shown unless it is asked for."""
    async with console("chat", "helper", home=tree(tmp_path)) as shown:
        assert "deep" not in await shown.ask("think", "Thought.\n")


async def test_no_color(tmp_path: Path) -> None:
    """With NO_COLOR nothing is coloured."""
    async with console("chat", "helper", home=tree(tmp_path), environ={"NO_COLOR": "1"}) as shown:
        await shown.ask("compute it", "2 turns\n")
        await shown.ask("broken", "provider_invalid_request: ")
        assert await leave(shown) == 0
    assert "\x1b[3" not in shown.raw
    assert "\x1b[1;3" not in shown.raw


async def test_control_characters(tmp_path: Path) -> None:
    """What a model says cannot steer the terminal."""
    async with console("chat", "helper", home=tree(tmp_path)) as shown:
        await shown.ask("escape", "red [31mtext\n")
    assert "\x1b[31m" not in shown.raw


async def test_edit(tmp_path: Path) -> None:
    """An edit of the tree is live in the next turn; a broken one is refused with its place."""
    agent = tree(tmp_path) / "agents" / "helper.md"
    async with console("chat", "helper", home=tmp_path) as shown:
        await shown.ask("hi", "Hello.\n")
        agent.write_text(agent_md("You help more."), encoding="utf-8")
        await shown.ask("hi", "the edit is live, revision ")
        agent.write_text("---\nmodle: x\n---\nHi\n", encoding="utf-8")
        await shown.ask("hi", "agents/helper.md:2:1: error")
        await shown.see("Hello.\n")
        assert await leave(shown) == 0


async def test_pipe(tmp_path: Path) -> None:
    """Behind a pipe every line is a turn; the answers are on standard output, all else on standard error."""
    done = await headgate("chat", "helper", home=tree(tmp_path), typed="hi\n\ncompute it\nagain\n")
    assert (done.code, done.out) == (0, "Hello.\nLet me compute. \nIt is 3.\nYou said: again\n")
    assert '● calculate(expression="1+2") → ' in done.err
    assert "\x1b" not in done.out + done.err


async def test_pipe_and_void_text(tmp_path: Path) -> None:
    """Behind a pipe the text of a retried turn is never printed; the retry is told on standard error."""
    async with AnthropicApi(failing(text("Void words")), turn(text("Real words"))) as api:
        done = await headgate("chat", "helper", home=tree(tmp_path, provider=anthropic(api)), typed="hi\n")
    assert (done.code, done.out) == (0, "Real words\n")
    assert "↻ retry 1 with claude" in done.err


async def test_pipe_and_failure(tmp_path: Path) -> None:
    """Behind a pipe the exit code tells whether every turn had an answer; the turns after a failure are taken."""
    done = await headgate("chat", "helper", home=tree(tmp_path), typed="broken\nhi\n/quit\nagain\n")
    assert (done.code, done.out) == (1, "Hello.\n")
    assert "provider_invalid_request: " in done.err


async def test_pipe_and_thinking(tmp_path: Path) -> None:
    """Behind a pipe thinking is among the lines on standard error."""
    done = await headgate("chat", "helper", "--show-thinking", home=tree(tmp_path), typed="think\n")
    assert (done.out, done.err.splitlines()[0]) == ("Thought.\n", "deep thoughts")


async def test_url(tmp_path: Path) -> None:
    """A server's agent is talked to in the same way, and knows the turns before."""
    async with AnthropicApi() as api, live(tree(tmp_path, provider=anthropic(api))) as gateway:
        async with console("chat", "helper", "--url", gateway.url, home=tmp_path, environ=KEYS) as shown:
            await shown.see(f"at {gateway.url}. /help")
            await shown.ask("first", "Hello there\n")
            await shown.ask("second", "Hello there\n")
            assert await leave(shown) == 0
        assert [len(each.body["messages"]) for each in api.requests] == [1, 3]


async def test_url_interrupt(tmp_path: Path) -> None:
    """Ctrl-C stops listening to a server's answer; the next turn takes its place."""
    words = ("chat", "helper", "--url")
    async with live(tree(tmp_path)) as gateway, console(*words, gateway.url, home=tmp_path, environ=KEYS) as shown:
        await shown.ask("begun", '"exact":"2"')
        shown.type("\x03")
        await shown.see("cancelled: interrupted\n")
        await shown.ask("hi", "Hello.\n")
        assert await leave(shown) == 0


async def test_url_and_an_ended_session(tmp_path: Path) -> None:
    """A session that the server no longer takes is replaced, and the conversation goes on."""
    async with AnthropicApi() as api, live(tree(tmp_path, provider=anthropic(api))) as gateway:
        async with console("chat", "helper", "--url", gateway.url, home=tmp_path, environ=KEYS) as shown:
            await shown.ask("first", "Hello there\n")
            text = (tmp_path / "gateway.toml").read_text(encoding="utf-8")
            gateway.edit("gateway.toml", f'{text}[auth]\nsession_secret = "{"new" * 16}"\n')
            await gateway.reload()
            await shown.ask("second", "Hello there\n")
        assert [len(each.body["messages"]) for each in api.requests] == [1, 3]


async def test_asked_key(tmp_path: Path) -> None:
    """A key that is in no variable is asked for, and not shown."""
    async with live(tree(tmp_path)) as gateway:
        async with console("chat", "helper", "--url", gateway.url, home=tmp_path) as shown:
            await shown.see("API key (HEADGATE_API_KEY is not set): ")
            shown.type(f"{gateway.key}\n")
            await shown.ask("hi", "Hello.\n")
        assert gateway.key not in shown.text
