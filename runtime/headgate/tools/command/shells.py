"""Finds templates that end up in code: the injection that running without a shell is meant to rule out."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from headgate.core.kind import Finding
from headgate.expressions.body import Templated
from headgate.expressions.template import Slot, Template, as_text

_SHELLS = frozenset({"sh", "ash", "bash", "dash", "zsh", "ksh", "mksh", "fish", "csh", "tcsh"})
_SHELL_VALUES = frozenset({"--rcfile", "--init-file"})
_CONSOLES = {"cmd": frozenset({"/c", "/k", "/r"}), "powershell": frozenset({"-c", "-command", "-encodedcommand"})}
_CONSOLES["pwsh"] = _CONSOLES["powershell"]
_CODE = {"python": {"-c"}, "pypy": {"-c"}, "perl": {"-e", "-E"}, "ruby": {"-e"}, "lua": {"-e"}, "php": {"-r"}}
_CODE |= {name: {"-e", "--eval", "-p", "--print"} for name in ("node", "nodejs", "bun")}
_WRAPPERS = frozenset(
    {"env", "sudo", "doas", "nice", "ionice", "nohup", "timeout", "setsid", "stdbuf", "busybox", "xargs", "time"}
    | {"chroot", "unshare", "nsenter"}
)
_VERSION = re.compile(r"[\d.]+$")
_MEND = 'write the command out and pass values after it: [sh, -c, "grep -- \\"$1\\" log", sh, "{{ args.word }}"]'


@dataclass(frozen=True, slots=True)
class Word:
    """One item of `argv`: its text up to the first slot, and that slot."""

    index: int
    text: str
    slot: Slot | None = None


def read_words(argv: Sequence[Templated]) -> list[Word]:
    """The items as far as they are known before a call."""
    return [_word(index, item.node) for index, item in enumerate(argv)]


def _word(index: int, node: object) -> Word:
    if not isinstance(node, Template):
        return Word(index, as_text(node))
    start = node.parts[0]
    return Word(index, start if isinstance(start, str) else "", node.slots[0])


def check_code(words: Sequence[Word]) -> Iterator[Finding]:
    """HG1404: an error for a template inside a shell command, a warning for what invites one."""
    at = _interpreter(words)
    name, rest = _name(words[at]), words[at + 1 :]
    if name in _SHELLS:
        yield from _check_shell(name, rest)
    elif name in _CONSOLES:
        yield from _check_console(name, rest)
    elif name in _CODE:
        yield from _check_inline(name, rest)
    elif name == "ssh" and (word := next((each for each in rest if each.slot), None)) and word.slot:
        message = f"ssh hands {word.slot.path!r} to a shell on the other machine, which reads it as code"
        hint = "allow only safe values with a pattern: or enum: in the input, or use stdin:"
        yield Finding(("argv", word.index), "HG1404", message, hint, word.slot.offset, "warning")


def _interpreter(words: Sequence[Word]) -> int:
    """The place of the program that does the work: after `sudo` and the like, if it is one that runs code."""
    if _name(words[0]) in _WRAPPERS:
        for word in words[1:]:
            if word.slot is None and (_name(word) in _SHELLS or _name(word) in _CONSOLES or _name(word) in _CODE):
                return word.index
    return 0


def _name(word: Word) -> str:
    name = word.text.replace("\\", "/").rpartition("/")[2].lower().removesuffix(".exe")
    return _VERSION.sub("", name)


def _check_shell(name: str, words: Sequence[Word]) -> Iterator[Finding]:
    """Reads options until the first operand, as a shell does; with `-c` that operand is the command."""
    inline = ended = skip = False
    for word in words:
        option = not ended and word.text[:1] in ("-", "+")
        if skip and word.slot is None:
            skip = False
        elif word.slot is not None:
            if inline or skip or option or not (ended or word.text):
                yield _injected(name, word, word.slot)
            return
        elif not option:
            if inline:
                yield _invites(name, word)
            return
        else:
            ended = word.text in ("-", "--")
            letters = word.text[1:] if word.text[:2] != "--" else ""
            inline |= word.text == "--command" or (word.text[0] == "-" and "c" in letters)
            skip = word.text in _SHELL_VALUES or letters[-1:] in ("o", "O")


def _check_console(name: str, words: Sequence[Word]) -> Iterator[Finding]:
    """`cmd` and PowerShell join all that follows into one command."""
    inline = False
    for word in words:
        if inline and word.slot is not None:
            yield _injected(name, word, word.slot)
            return
        inline |= word.slot is None and word.text.lower() in _CONSOLES[name]
    if inline:
        yield _invites(name, words[-1])


def _check_inline(name: str, words: Sequence[Word]) -> Iterator[Finding]:
    for flag, word in itertools.pairwise(words):
        if flag.slot is None and flag.text in _CODE[name] and word.slot is not None:
            message = f"{word.slot.path!r} becomes code of {name}: whoever chooses its value runs anything"
            hint = "write the code out and pass the value as an argument after it"
            yield Finding(("argv", word.index), "HG1404", message, hint, word.slot.offset, "warning")


def _injected(name: str, word: Word, slot: Slot) -> Finding:
    message = f"{slot.path!r} is read by {name} as command or option: whoever chooses its value runs any command"
    return Finding(("argv", word.index), "HG1404", message, _MEND, slot.offset)


def _invites(name: str, word: Word) -> Finding:
    message = f"{name} reads this item as a command, so a template in it would be an injection"
    hint = "run the program without a shell if you can"
    return Finding(("argv", word.index), "HG1404", message, hint, severity="warning")
