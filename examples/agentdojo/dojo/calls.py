"""Calls that the scripted model makes."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Call:
    """One call of the script, and whether the attack wants it or the user."""

    name: str
    args: dict[str, Any]
    injected: bool = False

    @property
    def key(self) -> str:
        """The same for calls of the same tool with the same arguments."""
        return json.dumps([self.name, self.args], sort_keys=True)
