"""Where a run is shown: a terminal with colours, or two plain streams."""

from __future__ import annotations

import io
import sys
from typing import Protocol, TextIO

from rich.console import Console
from rich.status import Status
from rich.text import Text

from headgate.cli.render.words import flat, visible

_VOID = 200


class Screen(Protocol):
    """What a run needs to be shown. `say` and `think` take pieces, the others whole lines."""

    def say(self, text: str) -> None:
        """A piece of the answer, which may still become void."""
        ...

    def think(self, text: str) -> None:
        """A piece of thinking."""
        ...

    def void(self) -> None:
        """What was said and thought since the last `settle` does not count."""
        ...

    def settle(self) -> None:
        """What was said until now counts; the next line begins at the left."""
        ...

    def busy(self, what: str) -> None:
        """What is being waited for; nothing: no longer."""
        ...

    def line(self, text: str, style: str = "", *, whole: bool = False) -> None:
        """A line about the run; a terminal cuts it at its edge unless it must be read `whole`."""
        ...


class Terminal:
    """A terminal, through rich: it knows the width, and which colours there may be (NO_COLOR, TERM)."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(highlight=False, markup=False, emoji=False)
        self._said: list[str] = []
        self._inside = False
        self._status: Status | None = None

    def say(self, text: str) -> None:
        """Shows the piece at once."""
        self._said.append(text)
        self._write(text, None)

    def think(self, text: str) -> None:
        """Shows the piece at once, dimmed."""
        self._write(text, "dim italic")

    def _write(self, text: str, style: str | None) -> None:
        self.busy("")
        shown = visible(text)
        if shown:
            self._console.out(shown, style=style, highlight=False, end="")
            self._inside = not shown.endswith("\n")

    def void(self) -> None:
        """Shows once more what is void, struck through."""
        said = flat("".join(self._said), _VOID)
        self.settle()
        if said:
            self.line(f"✗ {said}", "dim strike")

    def settle(self) -> None:
        """Ends the line."""
        self.busy("")
        self._said.clear()
        if self._inside:
            self._console.out("")
            self._inside = False

    def busy(self, what: str) -> None:
        """A spinner, which leaves no trace."""
        if self._status is not None:
            self._status.stop()
            self._status = None
        if what and self._console.is_terminal and not self._console.is_dumb_terminal:
            self._status = self._console.status(Text(flat(what, 60), style="dim"), spinner="dots")
            self._status.start()

    def line(self, text: str, style: str = "", *, whole: bool = False) -> None:
        """Shows the line, coloured."""
        shown = Text(visible(text), style=style)
        if whole:
            self._console.print(shown, soft_wrap=True)
        else:
            self._console.print(shown, no_wrap=True, overflow="ellipsis", crop=True)


class Progress(Terminal):
    """A terminal that shows what a run does, while its words go elsewhere."""

    def __init__(self) -> None:
        super().__init__(Console(stderr=True, highlight=False, markup=False, emoji=False))

    def say(self, text: str) -> None:
        """Nothing: the answer is printed when it is there."""

    def think(self, text: str) -> None:
        """Nothing."""


class Plain:
    """Two streams: the answers on standard output, all that is about them on standard error.

    A piece is held back until its turn counts, so that void text never reaches the reader of a pipe.
    """

    def __init__(self, out: TextIO | None = None, err: TextIO | None = None) -> None:
        self._out = out or sys.stdout
        self._err = err or sys.stderr
        self._said: list[str] = []
        self._inside = False

    def say(self, text: str) -> None:
        """Holds the piece."""
        self._said.append(text)

    def think(self, text: str) -> None:
        """Shows the piece among the lines about the run."""
        shown = visible(text)
        self._err.write(shown)
        self._inside = not shown.endswith("\n") if shown else self._inside

    def void(self) -> None:
        """Forgets what is held."""
        self._said.clear()

    def settle(self) -> None:
        """Writes what is held."""
        self._end_line()
        text = "".join(self._said)
        self._said.clear()
        if text:
            write(self._out, text)

    def busy(self, what: str) -> None:
        """Nothing: nobody waits before a pipe."""

    def line(self, text: str, style: str = "", *, whole: bool = False) -> None:  # noqa: ARG002 -- it has no colours
        """Writes the line to standard error."""
        self._end_line()
        print(visible(text), file=self._err, flush=True)

    def _end_line(self) -> None:
        if self._inside:
            self._err.write("\n")
            self._inside = False


def write(out: TextIO, text: str) -> None:
    """The text in lines of its own; raw for a pipe, without control characters for a terminal."""
    shown = visible(text) if out.isatty() else text
    out.write(shown if shown.endswith("\n") else f"{shown}\n")
    out.flush()


def lenient() -> None:
    """Makes the standard streams replace what their encoding lacks, instead of failing in the middle of an answer."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
