"""What a program writes, as chunks and as the text that is kept."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from headgate.compile.specs import Limits
from headgate.testing.tool_kit import Listener
from headgate.tools.command.output import CHUNK, TAIL, Stream
from tests.tools.programs import command, python

SECRET = "hunter22-" * 20


def stream(limit: int = 1 << 20) -> tuple[Stream, list[str]]:
    said: list[str] = []
    return Stream(limit, lambda text: text.replace(SECRET, "[redacted]"), said.append), said


def test_lines_are_streamed_when_they_are_whole() -> None:
    """A chunk holds whole lines; what has no end yet waits for it, or for the end of the output."""
    out, said = stream()
    for data in (b"one\ntw", b"o\nthree\nfo", b"ur"):
        out.feed(data)
    assert said == ["one\n", "two\nthree\n"]
    out.close()
    assert said[2:] == ["four"]


def test_long_lines_are_streamed_in_pieces() -> None:
    """A line longer than a chunk is passed on before it ends, in pieces that do not split characters."""
    out, said = stream()
    for _ in range(100):
        out.feed("€uro".encode() * 1000)
    assert len("".join(said)) > 390_000
    out.close()
    assert "".join(said) == "€uro" * 100_000
    assert all(len(piece.encode()) <= CHUNK for piece in said)


def test_characters_that_are_split_between_reads() -> None:
    """Bytes are decoded as they come; what is no UTF-8 is replaced."""
    out, said = stream()
    for byte in "é€😀\xff\n".encode() + b"\xff\n":
        out.feed(bytes([byte]))
    assert "".join(said) == "é€😀ÿ\n�\n"


def test_secrets_are_found_across_reads_and_cuts() -> None:
    """Neither reads, chunks, the limit nor the tail let half of a secret out."""
    for shift in range(0, 300, 7):
        out, said = stream(limit=6000)
        text = "x" * (6000 - shift) + SECRET + "y" * (TAIL - shift)
        for start in range(0, len(text), 100):
            out.feed(text[start : start + 100].encode())
        out.close()
        assert "hunter" not in "".join(said) + out.text + out.tail


def test_what_is_over_the_limit_is_counted_and_dropped() -> None:
    """Text and stream end at the limit; the size is that of all, and the tail is the end of all."""
    out, said = stream(limit=10)
    out.feed(b"12345\n6789")
    assert not out.is_cut
    out.feed(b"0abc\n" * 10_000)
    out.close()
    assert (out.text, out.body, "".join(said)) == ("12345\n6789", b"12345\n6789", "12345\n")
    assert (out.size, out.is_cut, out.tail) == (50_010, True, (b"0abc\n" * 10_000)[-TAIL:].decode())


async def test_both_outputs_stream_while_the_program_runs(tmp_path: Path) -> None:
    """Chunks say which output they are of, and come before the program ends: this one waits until both have come."""
    go, listener = tmp_path / "go", Listener()

    def hear(stream: str, text: str, /) -> None:
        listener.output.append((stream, text))
        if len(listener.output) == 2:
            go.touch()

    code = "print('out', flush=True); sys.stderr.write('err\\n'); sys.stderr.flush()"
    code = f"import os, sys, time; {code}\nwhile not os.path.exists(sys.argv[1]): time.sleep(0.01)"
    async with command(python(code, str(go))) as both:
        result = await both.call({}, replace(listener.context(60), output=hear))
    assert sorted(listener.output) == [("stderr", "err\n"), ("stdout", "out\n")]
    assert (result.payload, result.meta["stderr"]) == ("out\n", "err\n")


async def test_a_line_of_many_megabytes_does_no_harm() -> None:
    """Fifty mebibytes without a line end are read to their end; the result is the start of them."""
    code = "import sys\nfor _ in range(50): sys.stdout.write('x' * (1 << 20))"
    listener = Listener()
    async with command(python(code)) as long:
        result = await long.call({}, listener.context(60))
    assert result.meta == {"exit_code": 0, "cut": {"bytes": 50 << 20, "shown": 255 << 10}}
    assert result.payload == "x" * (255 << 10) + "\n[cut: 261120 of 52428800 bytes are shown]"
    assert len(result.payload) <= Limits().tool_output  # or the model would not see how much was dropped
    assert sum(len(text) for _, text in listener.output) <= 255 << 10
    assert len(listener.output) > 50
