"""One table from suffix to parser; bad input becomes diagnostics, never an exception."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import lru_cache
from pathlib import PurePosixPath

from headgate.manifest.diagnostics import Diagnostic
from headgate.manifest.parsers import frontmatter, toml, yaml
from headgate.manifest.source import MAX_PROBLEMS, Document, Format, Loaded, Problem, Span, place, report

MAX_BYTES = 1 << 20
"""The largest manifest that is read."""

_BEGINNING = Span(1, 1)
_BOM = b"\xef\xbb\xbf"

_Parsed = tuple[Document | None, list[Diagnostic]]


def parse(path: str, data: bytes) -> _Parsed:
    """The document that `data` holds, by the suffix of `path`, and everything that is wrong with it.

    The document is None when the text cannot be read at all. With other errors it is there, so that the rest of it can
    be checked in the same pass; what it then holds at the place of an error is a harmless stand-in.
    """
    form = _FORMS.get(PurePosixPath(path).suffix)
    if form is None:
        return None, [_unread(path, "is not a manifest", f"manifests end in {', '.join(_FORMS)}")]
    text = _decode(path, data)
    if isinstance(text, Diagnostic):
        return None, [text]
    document, problems = form(path, hashlib.sha256(data).hexdigest(), text)
    return document, sorted(report(path, text, problem) for problem in problems[:MAX_PROBLEMS])


class Parser:
    """Parses, and remembers the last `size` different files, so that an unchanged one is not parsed again."""

    def __init__(self, size: int = 20_000) -> None:
        self._cached: Callable[[str, bytes], _Parsed] = lru_cache(maxsize=size)(parse)

    def parse(self, path: str, data: bytes) -> _Parsed:
        """As `parse`; the same path and bytes give the same document object."""
        document, diagnostics = self._cached(path, data)
        return document, list(diagnostics)


def _decode(path: str, data: bytes) -> str | Diagnostic:
    if len(data) > MAX_BYTES:
        return _unread(path, f"is larger than {MAX_BYTES} bytes", "split it, or keep data out of manifests")
    if data.startswith(_BOM):
        return _unread(path, "begins with a byte order mark", "save it as UTF-8 without one")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8")
        return _unread(path, "is not UTF-8", "save it as UTF-8", place(before, len(before)))
    nul = text.find("\0")
    if nul >= 0:
        return _unread(path, "holds a NUL character", "save it as UTF-8 text", place(text, nul))
    return text.replace("\r\n", "\n")


def _unread(path: str, message: str, hint: str, span: Span = _BEGINNING) -> Diagnostic:
    return Diagnostic(path, *span, "error", "HG1002", f"the file {message}", hint)


def _toml(path: str, digest: str, text: str) -> tuple[Document | None, list[Problem]]:
    return _whole(path, digest, text, "toml", toml.load(text))


def _yaml(path: str, digest: str, text: str) -> tuple[Document | None, list[Problem]]:
    return _whole(path, digest, text, "yaml", yaml.load(text))


def _whole(path: str, digest: str, text: str, form: Format, loaded: Loaded) -> tuple[Document | None, list[Problem]]:
    if not loaded.readable:
        return None, loaded.problems
    return Document(path, form, loaded.body, digest, _text=text, _root=loaded.node), loaded.problems


def _markdown(path: str, digest: str, text: str) -> tuple[Document | None, list[Problem]]:
    parts = frontmatter.split(text)
    if isinstance(parts, Problem):
        return None, [parts]
    loaded = frontmatter.table(yaml.load(text, parts.begin, parts.end), parts)
    if not loaded.readable:
        return None, loaded.problems
    line = place(text, parts.prompt).line
    prompt = text[parts.prompt :]
    document = Document(path, "markdown", loaded.body, digest, prompt, line, _text=text, _root=loaded.node)
    return document, loaded.problems


_FORMS: dict[str, Callable[[str, str, str], tuple[Document | None, list[Problem]]]] = {
    ".toml": _toml,
    ".yaml": _yaml,
    ".yml": _yaml,
    ".md": _markdown,
}
