"""Redaction of texts: whole ones, JSON values, and streams of which nothing is told before it is judged."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from headgate.interceptors.redact_detectors import Span

_LONGEST = 16_384
"""Characters of a stream that are held because they belong to one thing that has not ended."""
_CONTEXT = 64
"""Characters before what is looked at that count for where a word begins."""


class Finder(Protocol):
    """Something that is looked for; see `Detector`."""

    def spans(self, text: str, start: int = 0) -> Iterator[Span]: ...

    def held(self, text: str) -> int: ...


class Redactor:
    """Replaces what any of the finders finds; what overlaps is replaced as one."""

    def __init__(self, finders: Mapping[str, Finder], replace: str) -> None:
        self._finders = {replace.replace("{name}", name): finder for name, finder in finders.items()}

    def found(self, text: str, start: int = 0) -> list[tuple[int, int, str]]:
        """The spans from `start` on, in order, each with what it is replaced by."""
        raw = [(a, b, said) for said, finder in self._finders.items() for a, b in finder.spans(text, start)]
        out: list[tuple[int, int, str]] = []
        for first, last, said in sorted(raw, key=lambda each: (each[0], -each[1])):
            if out and first < out[-1][1]:
                out[-1] = (out[-1][0], max(last, out[-1][1]), out[-1][2])
            else:
                out.append((first, last, said))
        return out

    def held(self, text: str) -> int:
        """How many characters at the end may be the beginning of something."""
        return max((finder.held(text) for finder in self._finders.values()), default=0)

    def text(self, text: str) -> str:
        """The text, redacted."""
        return self.texts((text,))[0]

    def texts(self, texts: Sequence[str]) -> list[str]:
        """The texts, redacted as if they were one: what begins in one and ends in another is replaced in the first."""
        found = self.found("".join(texts))
        if not found:
            return list(texts)
        out, begin = [], 0
        for text in texts:
            out.append(_cut(text, begin, found))
            begin += len(text)
        return out

    def value(self, value: Any) -> Any:
        """The JSON value with its texts redacted; keys stay. The very same value when there is nothing in it."""
        if isinstance(value, str):
            clean = self.text(value)
            return value if clean == value else clean
        if isinstance(value, dict):
            pairs = {key: self.value(each) for key, each in value.items()}
            return pairs if any(pairs[key] is not each for key, each in value.items()) else value
        if isinstance(value, list | tuple):
            items = [self.value(each) for each in value]
            return items if any(a is not b for a, b in zip(items, value, strict=True)) else value
        return value


def _cut(text: str, begin: int, found: Iterable[tuple[int, int, str]]) -> str:
    """The part of the whole that `text` is, which begins at `begin`."""
    out, at = [], 0
    for first, last, said in found:
        first, last = first - begin, last - begin
        if last <= 0 or first >= len(text):
            continue
        out += [text[at : max(first, 0)], said if first >= 0 else ""]
        at = min(last, len(text))
    return "".join([*out, text[at:]])


class Window:
    """A stream of text: what may be the beginning of something is held until it is known."""

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self._seen = ""
        self._at = 0

    def feed(self, text: str) -> str:
        """What may be told now."""
        self._seen += text
        return self._told(len(self._seen) - self._redactor.held(self._seen[self._at :]))

    def flush(self) -> str:
        """The rest, at the end of the stream, which may begin anew then."""
        told = self._told(len(self._seen) + 1)
        self._seen, self._at = "", 0
        return told

    def _told(self, until: int) -> str:
        """Everything before `until` that does not belong to what may grow yet."""
        out = []
        for first, last, said in self._redactor.found(self._seen, self._at):
            growing = last >= min(until, len(self._seen)) and until <= len(self._seen)
            if growing and len(self._seen) - first < _LONGEST:
                until = min(until, first)
                break
            out += [self._seen[self._at : first], said]
            self._at = last
        until = min(until, len(self._seen))
        if until > self._at:
            out.append(self._seen[self._at : until])
            self._at = until
        kept = max(self._at - _CONTEXT, 0)
        self._seen, self._at = self._seen[kept:], self._at - kept
        return "".join(out)
