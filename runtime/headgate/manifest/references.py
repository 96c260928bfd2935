"""`${env:NAME}`, `${file:PATH}` and `$$`: resolved in scalar leaves, after parsing, so a value never becomes syntax."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from headgate.core.kind import Key
from headgate.core.scalars import Interpolated
from headgate.manifest.diagnostics import Diagnostic, suggest
from headgate.manifest.source import Document

MAX_FILE = 64 << 10
"""The largest file, in bytes, that a `${file:...}` may name."""

SCHEMES = ("env", "file", "secret")

_TOKEN = re.compile(r"\$\$|\$\{(?P<inner>[^}]*)\}?")
_ENV = re.compile(r"(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::(?P<sign>[-?])(?P<rest>.*))?", re.DOTALL)
_BARE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

_ENV_FORMS = "write ${env:NAME}, ${env:NAME:-default} or ${env:NAME:?message}"


class _Shift(NamedTuple):
    """Characters `begin` to `end` of a resolved leaf stand for `written` to `after` of the leaf in the file."""

    begin: int
    end: int
    written: int
    after: int


@dataclass(frozen=True, slots=True)
class Resolved:
    """A document's body with its references resolved.

    `body` shares nothing that changed with the document. Strings that held references are `Interpolated`; a leaf that
    could not be resolved keeps its text and is in `unresolved`, with or without a finding, so that nobody judges it
    further. `referenced` are all leaves that held a reference. `sources` pairs each reference, as in `env:NAME`, with
    the value that it had. `files` are those that were read or looked for, to be watched.
    """

    body: Any = field(repr=False)
    diagnostics: tuple[Diagnostic, ...] = ()
    sources: frozenset[tuple[str, str]] = field(default=frozenset(), repr=False)
    referenced: frozenset[Key] = frozenset()
    unresolved: frozenset[Key] = frozenset()
    files: frozenset[Path] = frozenset()
    _shifts: Mapping[Key, tuple[_Shift, ...]] = field(default_factory=dict, repr=False)

    @property
    def secrets(self) -> frozenset[str]:
        """Every value that came from outside the manifest, defaults included."""
        return frozenset(value for _, value in self.sources if value)

    def written(self, path: Key, offset: int) -> int:
        """Where character `offset` of the resolved leaf is in the leaf as it is written, for `Document.locate`."""
        ahead = 0
        for shift in self._shifts.get(path, ()):
            if offset < shift.begin:
                break
            if offset < shift.end:
                return shift.written
            ahead = shift.after - shift.end
        return offset + ahead


class Fault(Exception):
    """Why a reference cannot be resolved; without a code it is reported elsewhere.

    `offset` counts from the beginning of the reference; `local` blames this machine, not the manifest.
    """

    def __init__(self, code: str, message: str, hint: str = "", *, offset: int = 0, local: bool = False) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint
        self.offset = offset
        self.local = local


_LEAVES = frozenset({int, float, bool, type(None)})

Lookup = Callable[[str, Key], str]
"""The secret that a text `BACKEND/path#key` at a key of the document stands for; raises `Fault`."""


def no_secrets(text: str, _key: Key) -> str:
    """The lookup of whoever has no back-ends."""
    raise Fault("HG1104", f"there are no secret back-ends to ask for '{text}'", "use ${env:NAME} or ${file:/path}")


def resolve(
    document: Document,
    environ: Mapping[str, str],
    root: Path,
    *,
    skip_environment: bool = False,
    lookup: Lookup = no_secrets,
) -> Resolved:
    """Resolves every reference of the document; `root` is where relative `${file:...}` paths begin, and stay.

    `lookup` knows the secrets. With `skip_environment` what this machine lacks (variables, files, secrets) is no
    finding.
    """
    walk = _Walk(document, environ, root=root, skip_environment=skip_environment, lookup=lookup)
    body = walk.value(document.body, ())
    return Resolved(
        body,
        tuple(walk.diagnostics),
        frozenset(walk.sources),
        frozenset(walk.referenced),
        frozenset(walk.unresolved),
        frozenset(walk.files),
        walk.shifts,
    )


class _Walk:
    """One pass over a document's leaves."""

    def __init__(
        self, document: Document, environ: Mapping[str, str], *, root: Path, skip_environment: bool, lookup: Lookup
    ) -> None:
        self.document = document
        self.environ = environ
        self.root = root
        self.skip_environment = skip_environment
        self.diagnostics: list[Diagnostic] = []
        self.sources: set[tuple[str, str]] = set()
        self.referenced: set[Key] = set()
        self.unresolved: set[Key] = set()
        self.files: set[Path] = set()
        self.shifts: dict[Key, tuple[_Shift, ...]] = {}
        self.lookup = lookup

    def value(self, value: Any, path: Key) -> Any:
        if isinstance(value, dict):
            return {
                key: each
                if type(each) in _LEAVES or (type(each) is str and "$" not in each)  # a leaf without a reference
                else self.value(each, (*path, key))
                for key, each in value.items()
            }
        if isinstance(value, list):
            return [self.value(each, (*path, index)) for index, each in enumerate(value)]
        if isinstance(value, str) and "$" in value:
            return self._leaf(value, path)
        return value

    def _leaf(self, raw: str, path: Key) -> str:
        text = ""
        read = 0
        literal: list[tuple[int, int]] = []
        shifts: list[_Shift] = []
        for token in _TOKEN.finditer(raw):
            text += raw[read : token.start()]
            value = "$" if token["inner"] is None else self._reference(token, path)
            if token["inner"] is not None:
                literal.append((len(text), len(text) + len(value)))
            shifts.append(_Shift(len(text), len(text) + len(value), token.start(), token.end()))
            text += value
            read = token.end()
        if shifts:
            self.shifts[path] = tuple(shifts)
        if path in self.unresolved:
            return raw
        text += raw[read:]
        return Interpolated(text, tuple(literal)) if literal else text

    def _reference(self, token: re.Match[str], path: Key) -> str:
        self.referenced.add(path)
        try:
            value = self._read(token, path)
        except Fault as fault:
            self.unresolved.add(path)
            if fault.code and not (fault.local and self.skip_environment):
                self._report(fault, path, token.start() + fault.offset)
            return ""
        self.sources.add((token["inner"], value))
        return value

    def _report(self, fault: Fault, path: Key, offset: int) -> None:
        file, span = self.document.spot(self.document.locate(path, offset))
        found = Diagnostic(file, *span, "error", fault.code, fault.message, fault.hint)
        self.diagnostics.append(found)

    def _read(self, token: re.Match[str], path: Key) -> str:
        inner = token["inner"]
        if not token[0].endswith("}"):
            raise Fault("HG1101", "the reference is not closed", "end it with }, or write $$ for a dollar sign")
        if "${" in inner:
            raise Fault("HG1101", "references cannot be nested", offset=2 + inner.index("${"))
        scheme, colon, rest = inner.partition(":")
        if not colon or scheme not in SCHEMES:
            raise _unknown(inner, scheme if colon else "")
        if scheme == "secret":
            return self.lookup(rest, path)
        return self._env(rest) if scheme == "env" else self._file(rest)

    def _env(self, rest: str) -> str:
        match = _ENV.fullmatch(rest)
        if match is None:
            raise Fault("HG1101", f"'env:{rest}' is not a reference to a variable", _ENV_FORMS)
        value = self.environ.get(match["name"])
        if value is not None and not value.isascii():
            _check_text(match["name"], value)
        if value or (value is not None and match["sign"] is None):
            return value
        if match["sign"] == "-":
            return match["rest"]
        raise _absent(match["name"], match["rest"] or "", "missing" if value is None else "empty")

    def _file(self, rest: str) -> str:
        if not rest or "\0" in rest:
            raise Fault("HG1101", "the reference names no file", "write ${file:/run/secrets/x}")
        path = self.root / rest  # an absolute path stays itself
        inside = Path(os.path.realpath(path)).is_relative_to(os.path.realpath(self.root))
        if not inside and not Path(rest).is_absolute():
            raise Fault("HG1103", f"the file {rest} is outside the tree", "write its absolute path")
        self.files.add(path)
        try:
            return _content(path)
        except (OSError, UnicodeDecodeError) as error:
            said = error.strerror if isinstance(error, OSError) and error.strerror else "it is not UTF-8 text"
            raise Fault("HG1103", f"cannot read the file {rest}: {said}", local=True) from error


def _check_text(name: str, value: str) -> None:
    try:
        value.encode("utf-8")
    except UnicodeEncodeError as error:
        raise Fault("HG1102", f"the environment variable {name} is not UTF-8 text", local=True) from error


def _absent(name: str, said: str, state: str) -> Fault:
    if said:
        return Fault("HG1102", f"{name}: {said}", local=True)
    hint = f"set it, or give a default: ${{env:{name}:-...}}"
    return Fault("HG1102", f"the environment variable {name} is {state}", hint, local=True)


def _unknown(inner: str, scheme: str) -> Fault:
    if not scheme and _BARE.fullmatch(inner):
        return Fault(
            "HG1101", f"the reference '{inner}' has no scheme", f"write ${{env:{inner}}}, or $$ for a dollar sign"
        )
    near = suggest(scheme, SCHEMES) if scheme else None
    hint = f"did you mean '{near}'?" if near else f"write one of {', '.join(SCHEMES)}, or $$ for a dollar sign"
    said = f"unknown scheme '{scheme}'" if scheme else f"'{inner}' is not a reference"
    return Fault("HG1101", said, hint, offset=2 if scheme else 0)


def _content(path: Path) -> str:
    """The text of a regular file without one line end at its end; a pipe or a device could hold the reader for ever."""
    if not path.is_file():
        raise FileNotFoundError(0, "there is no such file" if not path.exists() else "it is not a regular file")
    with path.open("rb") as file:
        data = file.read(MAX_FILE + 1)
    if len(data) > MAX_FILE:
        raise OSError(0, f"it is larger than {MAX_FILE} bytes")
    return data.decode("utf-8").removesuffix("\n").removesuffix("\r")
