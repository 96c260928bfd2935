"""Redaction, and the digest that tells whether secrets changed."""

from __future__ import annotations

import json
from urllib.parse import quote

import pytest

from headgate.manifest.redaction import Redactor, digest


@pytest.mark.parametrize(
    ("text", "scrubbed"),
    [
        ("Bearer s3cret-value, s3cret-value", "Bearer [redacted], [redacted]"),
        ("s3cret-value-longer", "[redacted]"),
        ("nothing here", "nothing here"),
        ("short stays", "short stays"),
        ("", ""),
    ],
)
def test_secrets_are_replaced_longest_first(text: str, scrubbed: str) -> None:
    """No rest of a longer secret is left behind a shorter one; values below six characters stay."""
    redactor = Redactor(["s3cret-value", "s3cret-value-longer", "short", ""])
    assert redactor.scrub(text) == scrubbed


@pytest.mark.parametrize("secret", ['quo"ted\\value', "two\nlines", "päss wörd/€"])
def test_encoded_forms_are_replaced(secret: str) -> None:
    """A secret inside JSON or a URL is a secret."""
    redactor = Redactor([secret])
    for form in (secret, json.dumps(secret), json.dumps(secret, ensure_ascii=False), f"?k={quote(secret, safe='')}"):
        scrubbed = redactor.scrub(form)
        assert "[redacted]" in scrubbed
        assert "ue" not in scrubbed
        assert "lines" not in scrubbed
        assert "rd" not in scrubbed


def test_without_secrets_the_text_is_returned() -> None:
    """Nothing is copied when there is nothing to do."""
    text = "x" * 100
    assert Redactor().scrub(text) is text


def test_a_pattern_in_a_secret_is_no_pattern() -> None:
    """Secrets are literal text."""
    assert Redactor([".*.*.*"]).scrub("harmless .*.*.*") == "harmless [redacted]"


PAIRS = [("env:A", "one"), ("file:/x", "two")]


def test_the_digest_does_not_depend_on_order_or_repetition() -> None:
    """It is a digest of the set."""
    assert digest(PAIRS, b"key") == digest([*reversed(PAIRS), PAIRS[0]], b"key")
    assert len(digest([], b"key")) == 64


@pytest.mark.parametrize(
    "other",
    [
        [("env:A", "other"), ("file:/x", "two")],
        [("env:B", "one"), ("file:/x", "two")],
        [("env:Ao", "ne"), ("file:/x", "two")],
        PAIRS[:1],
        [],
    ],
)
def test_the_digest_tells_sets_apart(other: list[tuple[str, str]]) -> None:
    """A changed value, reference or boundary between them changes the digest."""
    assert digest(other, b"key") != digest(PAIRS, b"key")


def test_the_digest_depends_on_the_key() -> None:
    """Without the key nobody can try values against it."""
    assert digest(PAIRS, b"key") != digest(PAIRS, b"other")
