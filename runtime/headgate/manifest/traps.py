"""Where YAML eats expressions: a syntax error in one becomes the advice to quote it."""

from __future__ import annotations

import re

from headgate.manifest.source import Problem

EXPRESSIONS = frozenset({"when", "output", "decide", "qualifier"})
"""The keys whose values are expressions."""

QUOTE = "quote the expression"

_EXPRESSION = re.compile(rf"(?:^|[\s{{,])(?P<key>{'|'.join(sorted(EXPRESSIONS))})[ \t]*:(?:\s|$)", re.MULTILINE)
_VALUE = re.compile(r"\s*(?:- +)*(?:- +|[\w.\"'-]+[ \t]*:[ \t]+)(?P<sign>[!&*@%`]|\{\{)")
_FAR = ("*", "{{")  # signs whose harm may show only further on in the line
_COMMENT = re.compile(r"[ \t]+(#)")

_WORDING: tuple[tuple[str, str, str], ...] = (
    ("could not find expected ':'", "a ':' is missing after this key", ""),
    ("mapping values are not allowed", "a ':' cannot stand here", "check the indentation, or quote the value"),
    ("found character", "a value cannot begin with this character", "quote the value"),
    ("found unexpected end of stream", "the quotation that begins here is not closed", ""),
    ("did not find expected key", "a key is expected here", "check the indentation and the quotation marks"),
    ("expected <block end>", "a key is expected here", "check the indentation and the quotation marks"),
    ("did not find expected ',' or ']'", "a ',' or ']' is expected here", ""),
    ("did not find expected ',' or '}'", "a ',' or '}' is expected here", ""),
    ("expected ',' or ']'", "a ',' or ']' is expected here", ""),
    ("expected ',' or '}'", "a ',' or '}' is expected here", ""),
    ("did not find expected node content", "a value or a closing bracket is expected here", ""),
    ("expected the node content", "a value or a closing bracket is expected here", ""),
    ("did not find expected '-' indicator", "a '- ' is expected here", "check the indentation"),
)
"""How the parsers' complaints begin, and what a reader who is no parser can do with them."""


def explain(text: str, offset: int, said: str) -> tuple[str, str, str]:
    """Code, message and hint for what the parser `said` about the character at `offset`."""
    begin = text.rfind("\n", 0, offset) + 1
    message, hint = _worded(text, offset, said)
    expression = _EXPRESSION.search(text, begin, offset)
    if expression is not None:
        return "HG1009", f"YAML cannot read the expression of '{expression['key']}': {message}", QUOTE
    value = _VALUE.match(text, begin)
    if value is not None and (value["sign"] in _FAR or offset <= value.end()):
        return (
            "HG1009",
            f"YAML gives a value that begins with '{value['sign']}' a meaning of its own",
            "quote the value",
        )
    return "HG1001", message, hint


def _worded(text: str, offset: int, said: str) -> tuple[str, str]:
    if text.startswith("\t", offset):
        return "a tab cannot stand here", "indent with spaces"
    for begins, message, hint in _WORDING:
        if said.startswith(begins):
            return message, hint
    return said, ""


def cut(text: str, end: int) -> list[Problem]:
    """A warning when the plain expression that ends at `end` is followed by what YAML takes for a comment."""
    comment = _COMMENT.match(text, end)
    if comment is None:
        return []
    return [Problem(comment.start(1), "HG1009", "YAML takes the rest of this line for a comment", QUOTE, "warning")]
