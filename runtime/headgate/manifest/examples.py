"""One example for each code of a finding: files that give it, and how to mend them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import yaml


@dataclass(frozen=True, slots=True)
class Example:
    """`files` are laid over a small tree that is in order; `says` are findings that only a running gateway makes."""

    mend: str
    files: dict[str, str]
    says: str = ""


@cache
def load_examples() -> dict[str, Example]:
    """The examples by code, in the order of the codes."""
    text = files("headgate.manifest").joinpath("examples.yaml").read_text(encoding="utf-8")
    return {code: Example(**each) for code, each in yaml.safe_load(text).items()}
