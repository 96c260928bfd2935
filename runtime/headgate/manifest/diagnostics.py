"""What is wrong in the tree, where, and how to mend it."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from headgate.core.kind import Severity

CODES: dict[str, str] = {
    "HG1001": "The file is not well-formed TOML, YAML or frontmatter.",
    "HG1002": "A file has a bad name, size, encoding or link, or cannot be read.",
    "HG1003": "A key is not known here.",
    "HG1004": "A value has the wrong type or is not one of those that are allowed.",
    "HG1005": "A required key is missing.",
    "HG1006": "A key is given twice.",
    "HG1007": "The feature behind a key is not in this build.",
    "HG1008": "YAML features that manifests do not have, alias bombs, or nesting that is too deep.",
    "HG1009": "YAML reads an expression or template as something else, so it must be quoted.",
    "HG1010": "The name inside a file and the name of the file disagree.",
    "HG1011": "A key has no value.",
    "HG1101": "A ${...} reference is malformed.",
    "HG1102": "An environment variable that a reference names is missing.",
    "HG1103": "A file that a reference names cannot be read.",
    "HG1104": "A secret back-end is unknown, or cannot be used here.",
    "HG1105": "A secret is written into the manifest instead of being referenced.",
    "HG1106": "A secret that a reference names does not exist.",
    "HG1107": "A secret back-end refused to show a secret, or did not answer.",
    "HG1201": "A name refers to an object that does not exist.",
    "HG1202": "A glob matches nothing.",
    "HG1203": "Two objects have the same name.",
    "HG1204": "Objects refer to one another in a circle.",
    "HG1205": "An object is never used.",
    "HG1206": "A setting has no effect.",
    "HG1207": "A tool that a manifest names is not among those that its MCP server lists now.",
    "HG1208": "A tool of an MCP server is not as it was approved.",
    "HG1301": "A template is not well-formed.",
    "HG1302": "A template names a path that does not exist there.",
    "HG1303": "A JMESPath expression is not well-formed.",
    "HG1304": "A JMESPath expression names what no answer of the tests has.",
    "HG1305": "A CEL expression is not well-formed.",
    "HG1306": "A CEL expression names what is not there, or mixes types that do not fit.",
    "HG1401": "A value exceeds a limit, or loosens what an outer layer decided.",
    "HG1402": "An object is well-formed but cannot be opened.",
    "HG1403": "A change takes effect only after a restart.",
    "HG1404": "A setting is not secure.",
    "HG1405": "The policy of the gateway does not allow an MCP server.",
    "HG1501": "An inline test failed.",
    "HG1502": "An inline test cannot be run.",
}
"""The stable codes: one sentence each. A code is never given another meaning."""

_LONGEST_WORD = 64
_CONTROL = re.compile(r"[\x00-\x1f\x7f]+")


@dataclass(frozen=True, slots=True, order=True)
class Diagnostic:
    """One finding. `path` is posix and relative to the tree; `line` and `column` count characters from 1.

    Diagnostics sort by path, line and column. `hint` says how to mend the finding and may be empty.
    """

    path: str
    line: int
    column: int
    severity: Severity
    code: str
    message: str
    hint: str = ""

    def __str__(self) -> str:
        text = f"{self.message}; {self.hint}" if self.hint else self.message
        line = f"{self.path}:{self.line}:{self.column}: {self.severity}[{self.code}] {text}"
        return _CONTROL.sub(" ", line)


def render_text(diagnostics: Iterable[Diagnostic]) -> str:
    """One line a finding, sorted: `path:line:column: severity[code] message; hint`."""
    return "\n".join(str(each) for each in sorted(diagnostics))


def render_json(revision: str, diagnostics: Iterable[Diagnostic]) -> dict[str, Any]:
    """The JSON form of all findings of one revision, sorted."""
    return {"revision": revision, "diagnostics": [_members(each) for each in sorted(diagnostics)]}


def _members(diagnostic: Diagnostic) -> dict[str, Any]:
    return {name: getattr(diagnostic, name) for name in Diagnostic.__slots__}


def suggest(word: str, choices: Iterable[str]) -> str | None:
    """The choice that `word` was most likely meant to be, or None when none is near."""
    if len(word) > _LONGEST_WORD:  # the comparison is quadratic
        return None
    near = difflib.get_close_matches(word.lower(), sorted(choices), n=1, cutoff=0.6)
    return near[0] if near else None
