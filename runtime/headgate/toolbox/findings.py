"""What the gateway's own diagnostics mean."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from headgate.core.errors import ToolError
from headgate.manifest.diagnostics import CODES, suggest


def explain(code: Annotated[str, Field(description="The code of a finding, such as HG1003")]) -> dict[str, str]:
    """The meaning of a diagnostic code; raises `ToolError` for an unknown one."""
    wanted = code.strip().upper()
    if wanted not in CODES:
        guess = suggest(wanted, CODES) or ", ".join(CODES)
        raise ToolError("unknown_code", f"there is no code {code!r}; try {guess}")
    return {"code": wanted, "meaning": CODES[wanted]}
