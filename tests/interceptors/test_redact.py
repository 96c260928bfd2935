"""Redaction: what is found is replaced wherever it stands, and never told before it is judged."""

from __future__ import annotations

import random
from typing import Any

import pytest

from headgate.core.messages import (
    ErrorInfo,
    File,
    Message,
    Opaque,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    Usage,
)
from headgate.core.ports import Restarted, TextChunk, ThinkingChunk, TurnDone
from headgate.interceptors.redact import KIND, RedactSpec
from headgate.interceptors.redact_detectors import DETECTORS
from headgate.interceptors.redact_text import Redactor, Window
from headgate.testing.interceptor_kit import (
    CUT_OFF,
    Listener,
    Tool,
    Turn,
    calling,
    check_refusal,
    opened,
    text_of,
    told,
)

CARD = "4111 1111 1111 1111"
PEM = "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA\nabc+/=\n-----END RSA PRIVATE KEY-----"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJtZSJ9.c2lnbmF0dXJl"
FOUND: dict[str, list[tuple[str, str]]] = {
    "email": [("Write to jo.e+x@mail.example.com.", "Write to [X]."), ("<a@b.io>", "<[X]>"), ("a@b@c.de", "a@[X]")],
    "phone": [
        ("Call +49 30 1234567 now", "Call [X] now"),
        ("Call (555) 123-4567!", "Call [X]!"),
        ("555-123-4567", "[X]"),
        ("1-555-123-4567", "[X]"),
    ],
    "credit_card": [
        (f"Card {CARD}.", "Card [X]."),
        ("5500-0000-0000-0004", "[X]"),
        (f"12 {CARD} 99", "12 [X] 99"),
        (f"{CARD} and 378282246310005", "[X] and [X]"),
    ],
    "iban": [
        ("To DE89 3704 0044 0532 0130 00 today", "To [X] today"),
        ("GB82WEST12345698765432", "[X]"),
        ("gb82west12345698765432,", "[X],"),
    ],
    "ssn": [("SSN 123-45-6789", "SSN [X]"), ("123 45 6789", "[X]")],
    "ipv4": [("from 10.0.0.255.", "from [X]."), ("[192.168.1.1]:80", "[[X]]:80")],
    "ipv6": [("at 2001:db8::1, then", "at [X], then"), ("fe80::1:2:3:4", "[X]"), ("::ffff:10.0.0.1", "[X]")],
    "jwt": [(f"token={JWT};", "token=[X];")],
    "aws_key": [
        ("AKIAIOSFODNN7EXAMPLE", "[X]"),
        ('key = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKE1"', 'key = "[X]"'),
    ],
    "private_key": [(f"a\n{PEM}\nb", "a\n[X]\nb"), (PEM[:60], "[X]")],
    "url_credentials": [("https://me:secret@host/x", "https://[X]@host/x"), ("redis://:pw@h", "redis://[X]@h")],
    "bearer_token": [("Authorization: Bearer abcdefghijklmnop123==", "Authorization: Bearer [X]")],
}
INNOCENT = {
    "email": ["user@localhost", "a @ b.com", "@handle"],
    "phone": ["1234567", "2026-01-02", "1.234.567,89", "order 12345678901234567890"],
    "credit_card": [
        "4111 1111 1111 1112",
        "1234567890123456",
        "0" * 16,
        "12345678901234567890123456789012345678901234567890",
    ],
    "iban": ["DE89 3704 0044 0532 0130 01", "AB12 this is a sentence", "DE89"],
    "ssn": ["000-45-6789", "123-00-6789", "923-45-6789", "123-45-67890", "1123-45-6789"],
    "ipv4": ["1.2.3", "1.2.3.4.5", "256.1.1.1", "v1.2.3.4x"],
    "ipv6": ["12:30:45", "a::b", "std::vector", "C::x"],
    "jwt": ["eyJ", "heyJude.is.a.song"],
    "aws_key": ["AKIA123", "da39a3ee5e6b4b0d3255bfef95601890afd80709"],
    "private_key": ["-----BEGIN CERTIFICATE-----\nabc\n-----END CERTIFICATE-----"],
    "url_credentials": ["https://host:80/x@y", "mailto:a@b.c"],
    "bearer_token": ["bearer of news", "Bearer short"],
}


def redactor(*names: str) -> Redactor:
    """What replaces everything by [X]."""
    return Redactor({name: DETECTORS[name] for name in names or DETECTORS}, "[X]")


@pytest.mark.parametrize("name", DETECTORS)
def test_detectors(name: str) -> None:
    """Each finds what it is for, and nothing that only looks like it."""
    for text, clean in FOUND[name]:
        assert redactor(name).text(text) == clean
    for text in INNOCENT[name]:
        assert redactor(name).text(text) == text


def test_every_detector_can_be_named() -> None:
    """The manifest knows all of them."""
    RedactSpec.model_validate({"kind": "redact", "detect": list(DETECTORS)})


@pytest.mark.parametrize("name", DETECTORS)
def test_a_match_that_is_split_is_never_told(name: str) -> None:
    """However a text is cut into pieces, what is told of it is its redacted form, and no piece of a match."""
    chance = random.Random(name)
    for text, clean in FOUND[name]:
        for _ in range(40):
            window, told, at = Window(redactor(name)), "", 0
            whole = f"Well, {text} That is all."
            while at < len(whole):
                size = chance.randint(1, 9)
                told += window.feed(whole[at : at + size])
                at += size
            assert told + window.flush() == redactor(name).text(whole)
            assert clean != text


def test_all_detectors_at_once_stream_what_they_would_redact() -> None:
    """What overlaps is replaced as one, in a stream as in a whole text."""
    chance = random.Random(7)
    pieces = [text for each in FOUND.values() for text, _ in each if "BEGIN" not in text]
    for _ in range(60):
        whole = " ".join(chance.sample(pieces, 6))
        window, told, at = Window(redactor()), "", 0
        while at < len(whole):
            size = chance.randint(1, 20)
            told += window.feed(whole[at : at + size])
            at += size
        assert told + window.flush() == redactor().text(whole)


def test_prose_is_hardly_held() -> None:
    """Where no pattern of one's own is looked for, what is held ends with the words."""
    window = Window(redactor("email", "credit_card", "jwt", "ipv4", "url_credentials", "private_key"))
    assert window.feed("The plan is gold, and it ends in March. ").endswith("in March.")


def test_what_never_ends_is_not_held_for_ever() -> None:
    """The first 16 KiB of one thing are replaced without waiting for its end."""
    window = Window(redactor("private_key"))
    told = window.feed("-----BEGIN PRIVATE KEY-----\n")
    for _ in range(300):
        told += window.feed("A" * 64)
    assert told.startswith("[X]")


def test_time_is_linear() -> None:
    """Texts that are made to be hard take no time that anybody notices."""
    hard = ["a." * 50_000 + "@", "1 " * 50_000, "eyJ" * 30_000, "AB12 " * 20_000, "-----BEGIN PRIVATE KEY-----" * 3_000]
    hard += ["://" + ":" * 50_000, "(" * 50_000, "+1" * 50_000, "a@" * 50_000, ":" * 50_000, "1." * 50_000]
    for text in hard:
        redactor().text(text)


async def test_results() -> None:
    """Texts within data, text, and errors are redacted; names of members and numbers stay."""
    async with opened(KIND, {"detect": ["email", "credit_card"], "in": ["results"], "replace": "<{name}>"}) as sample:
        file = File("a@b.io.txt", "text/plain", b"a@b.io")
        data = {"a@b.io": [{"to": "a@b.io"}, 4111111111111111], "same": ["x"]}
        made = ToolResult(structured=data, content=(Text("4111 1111 "), file, Text("1111 1111!")))
        result = await sample.around_tool(Listener().call(), calling(to="a@b.io"), tool := Tool((made,)))
        assert result.structured == {"a@b.io": [{"to": "<email>"}, 4111111111111111], "same": ["x"]}
        assert result.content == (Text("<credit_card>"), file, Text("!"))
        assert tool.calls[0].args == {"to": "a@b.io"}
        failure = ToolResult("error", error=ErrorInfo("tool_error", "no a@b.io", details={"who": "a@b.io"}))
        error = (await sample.around_tool(Listener().call(), calling(), Tool((failure,)))).error
        assert error == ErrorInfo("tool_error", "no <email>", details={"who": "<email>"})


async def test_arguments() -> None:
    """The tool is given redacted arguments, and so is everybody who sees the call in the model's turn."""
    call = ToolCall("call_1", "lookup", {"to": ["a@b.io"], "n": 1})
    other = ToolCall("call_2", "send", {"to": "a@b.io"})
    broken = ToolCall("call_3", "lookup", None, '{"to": "a@b.io')
    clean = ToolCall("call_1", "lookup", {"to": ["[email]"], "n": 1})
    async with opened(KIND, {"detect": ["email"], "in": ["arguments"], "tools": ["lookup"]}) as sample:
        await sample.around_tool(Listener().call(), call, tool := Tool())
        assert tool.calls == [clean]
        done = TurnDone(Message("assistant", (Text("To a@b.io."), call, other, broken)), Usage(), "tools", "m")
        last = (await told(sample, Turn((TextChunk("To a@b.io."), done))))[-1]
        assert isinstance(last, TurnDone)
        assert last.message.parts == (
            Text("To a@b.io."), clean, other, ToolCall("call_3", "lookup", None, '{"to": "[email]')
        )  # fmt: skip


async def test_arguments_under_a_condition_are_redacted_at_the_call() -> None:
    """A condition about the call cannot be asked before there is one."""
    table = {"detect": ["email"], "in": ["arguments"], "when": 'tool.name == "lookup"'}
    call = ToolCall("call_1", "lookup", {"to": "a@b.io"})
    async with opened(KIND, table) as sample:
        done = TurnDone(Message("assistant", (call,)), Usage(), "tools", "m")
        assert (await told(sample, Turn((done,)))) == [done]
        await sample.around_tool(Listener().call(), call, tool := Tool())
        assert tool.calls[0].args == {"to": "[email]"}


async def test_the_answer_and_the_thoughts() -> None:
    """Text and thinking are told redacted, and the end of the turn has them so; a changed thought has no signature."""
    opaque = Opaque("anthropic", "m", b"signed")
    parts = (Thinking("It is a@b.io", opaque), Thinking("fine", opaque), Text(f"My card is {CARD}, "), Text("yes."))
    done = TurnDone(Message("assistant", parts), Usage(1, 2), "end", "m", 0.1)
    chunks = [
        ThinkingChunk("It is a@"),
        ThinkingChunk("b.io"),
        TextChunk("My card is 4111 11"),
        TextChunk("11 1111 1111, "),
    ]
    async with opened(KIND, {"detect": ["email", "credit_card"]}) as sample:
        events = await told(sample, Turn((*chunks, TextChunk("yes."), done)))
    assert text_of(events) == "My card is [credit_card], yes."
    assert "".join(each.text for each in events if isinstance(each, ThinkingChunk)) == "It is [email]"
    kinds = [type(each) for each in events]
    assert kinds == sorted(kinds, key=[ThinkingChunk, TextChunk, TurnDone].index)
    last = events[-1]
    assert isinstance(last, TurnDone)
    assert last.message.parts == (
        Thinking("It is [email]"), Thinking("fine", opaque), Text("My card is [credit_card], "), Text("yes.")
    )  # fmt: skip
    assert (last.usage, last.cost) == (Usage(1, 2), 0.1)


async def test_a_turn_that_is_made_again_begins_anew() -> None:
    """What was held of the first attempt is not told in the second."""
    done = TurnDone(Message("assistant", (Text("b.io is it"),)), Usage(), "end", "m")
    async with opened(KIND, {"detect": ["email"], "in": ["text"]}) as sample:
        turn = Turn((TextChunk("a@"), Restarted(1, CUT_OFF, 0.0, "m"), TextChunk("b.io is it"), done))
        events = await told(sample, turn)
    assert text_of(events) == "b.io is it"


async def test_what_a_running_tool_says() -> None:
    """Output and events of a call are redacted too, also where a line is told in pieces."""

    async def speak(call: ToolCall, ctx: Any) -> ToolResult:
        ctx.output("stdout", "to a@b")
        ctx.output("stderr", "no")
        ctx.output("stdout", ".io\n")
        ctx.emit("progress", who=["a@b.io"])
        return ToolResult()

    listener = Listener()
    async with opened(KIND, {"detect": ["email"], "in": ["results"]}) as sample:
        await sample.around_tool(listener.call(), calling(), speak)
    said = {name: "".join(text for stream, text in listener.output if stream == name) for name in ("stdout", "stderr")}
    assert said == {"stdout": "to [email]\n", "stderr": "no"}
    assert listener.events == [("progress", {"who": ["[email]"]})]


async def test_own_patterns() -> None:
    """A pattern of one's own is found where RE2 finds it, split or not."""
    async with opened(KIND, {"patterns": {"ticket": r"(?i)\bTICKET-\d{3,}\b", "vip": "Ada|Grace"}}) as sample:
        done = TurnDone(Message("assistant", (Text("Ada has ticket-1234, not XTICKET-1."),)), Usage(), "end", "m")
        events = await told(sample, Turn((TextChunk("Ada has tic"), TextChunk("ket-1234, not XTICKET-1."), done)))
        assert text_of(events) == "[vip] has [ticket], not XTICKET-1."


async def test_a_text_that_cannot_be_searched_is_refused() -> None:
    """Nobody gets past by making it hard."""
    async with opened(KIND, {"patterns": {"hard": "(a+)+b"}}) as sample:
        hard = ToolResult(content=(Text("a" * 100_000 + "b"),))
        assert (await check_refusal(sample, calling(), result=hard)).code == "redaction_failed"


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({}, "one of detect and patterns is needed"),
        ({"patterns": {"x": "(?=a)b"}}, "RE2"),
        ({"patterns": {"x": "a*"}}, "may match nothing at all"),
        ({"patterns": {"x": "("}}, "RE2"),
        ({"patterns": {"x": "[[:alpha:]]"}}, "cannot be read"),
        ({"detect": ["e-mail"]}, "email"),
        ({"detect": ["email"], "in": []}, "at least 1 item"),
    ],
)
def test_tables_that_are_refused(table: dict[str, Any], said: str) -> None:
    """What cannot be looked for is refused when the tree is loaded."""
    with pytest.raises(ValueError, match=said):
        RedactSpec.model_validate({"kind": "redact", **table})
