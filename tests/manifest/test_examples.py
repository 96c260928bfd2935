"""The examples of the codes."""

from __future__ import annotations

from headgate.manifest.diagnostics import CODES
from headgate.manifest.examples import load_examples


def test_every_code_has_an_example() -> None:
    """In the order of the codes, with files and a sentence that says how to mend them."""
    examples = load_examples()
    assert list(examples) == list(CODES)
    assert all(each.files and each.mend.endswith(".") for each in examples.values())
