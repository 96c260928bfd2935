"""The pipeline: tree -> draft -> checks -> `Compiled`, which is either ready to be opened or a list of findings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from headgate.compile.aside import Spare, misfits, spares_none, unreadable
from headgate.compile.checks import CHECKS, LATER
from headgate.compile.draft import Draft
from headgate.compile.lookup import Answers
from headgate.compile.overlay import NO_OVERLAY, Overlay
from headgate.compile.reading import Reading
from headgate.core.kind import Kinds
from headgate.manifest.diagnostics import Diagnostic
from headgate.manifest.redaction import Redactor, digest
from headgate.manifest.tree import Tree, revision_of, scan


@dataclass(frozen=True, slots=True)
class Compiled:
    """One revision, compiled: `ok` says whether it may be opened; findings are sorted by place."""

    revision: str
    draft: Draft
    diagnostics: tuple[Diagnostic, ...]
    secrets_digest: str

    @property
    def stamp(self) -> tuple[str, int, str]:
        """What tells it from every other: the tree, the generation of the overlay, and the secrets."""
        return self.revision, self.draft.overlay.generation, self.secrets_digest

    @property
    def ok(self) -> bool:
        """Whether there is no error among the findings."""
        return not any(each.severity == "error" for each in self.diagnostics)

    @property
    def shown(self) -> tuple[Diagnostic, ...]:
        """All findings, without secrets."""
        scrub = Redactor(self.draft.secrets).scrub
        return tuple(replace(each, message=scrub(each.message), hint=scrub(each.hint)) for each in self.diagnostics)

    @property
    def warnings(self) -> tuple[Diagnostic, ...]:
        """The findings that do not stop a swap."""
        return tuple(each for each in self.diagnostics if each.severity == "warning")


class Compiler:
    """Compiles one tree, again and again; unchanged files are not parsed again.

    `secret_key` keys the digest of resolved secrets, so that a rotation is seen without keeping the values.
    """

    def __init__(
        self,
        root: Path,
        kinds: Kinds,
        environ: Mapping[str, str],
        *,
        skip_environment: bool = False,
        secret_key: bytes = b"",
    ) -> None:
        self.root = root
        self._reading = Reading(kinds, environ, skip_environment=skip_environment)
        self._secret_key = secret_key
        self._wanted: frozenset[str] = frozenset()
        self.directories: tuple[Path, ...] = (root,)

    def scan(self) -> Tree:
        """The files as they are now, with those that the manifests named last time."""
        tree = scan(self.root, self._wanted)
        self.directories = tree.directories
        return tree

    def compile(
        self,
        tree: Tree | None = None,
        *,
        kept: bool = False,
        answers: Answers | None = None,
        overlay: Overlay = NO_OVERLAY,
        spare: Spare = spares_none,
    ) -> Compiled:
        """Compiles the tree with the overlay on it; never raises on what stands in them. A tree that was kept is
        complete and compiled as it is, whatever the files are now. Of secrets it knows the `answers` alone; `Keyring`
        asks for them. Documents with errors that `spare` lets be missed are set aside, if that helps."""
        tree = tree or self.scan()
        aside = unreadable(overlay)
        draft = self._reading.draft(tree, answers, overlay, aside)
        # Also when fewer are wanted: the same files are always the same revision.
        if draft.wanted != self._wanted and not kept:
            before, self._wanted = self._wanted, draft.wanted
            draft = self._reading.draft(self._completed(tree, before), answers, overlay, aside)
        first = self._checked(draft)
        more = misfits(overlay, first.diagnostics, spare)
        if not more:
            return first
        again = self._checked(self._reading.draft(draft.tree, answers, overlay, {**aside, **more}))
        return again if _errors(again) <= _errors(first) else first

    def _checked(self, draft: Draft) -> Compiled:
        found = [*draft.diagnostics, *(finding for check in CHECKS for finding in check(draft))]
        if not any(each.severity == "error" for each in found):
            found += [finding for check in LATER for finding in check(draft)]
        diagnostics = tuple(sorted(dict.fromkeys(found), key=_place))
        return Compiled(draft.tree.revision, draft, diagnostics, digest(draft.sources, self._secret_key))

    def _completed(self, tree: Tree, before: frozenset[str]) -> Tree:
        """The tree with the files that are wanted now instead of those wanted `before`; the others stay as they are."""
        fresh = self.scan()
        named = {str(PurePosixPath(path)) for path in self._wanted}
        files = {path: data for path, data in tree.files.items() if path in fresh.files or path not in before}
        added = {path: fresh.files[path] for path in named if path in fresh.files}
        whole = dict(sorted({**added, **files}.items()))
        more = (each for each in fresh.diagnostics if each.path in named)
        diagnostics = tuple(sorted({*tree.diagnostics, *more}))
        return Tree(tree.root, whole, revision_of(whole), diagnostics, fresh.directories)


def _errors(compiled: Compiled) -> set[Diagnostic]:
    return {each for each in compiled.diagnostics if each.severity == "error"}


def _place(finding: Diagnostic) -> tuple[str, int, int, str]:
    return finding.path, finding.line, finding.column, finding.code
