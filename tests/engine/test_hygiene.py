"""Tool results are cleaned before anybody sees them."""

from __future__ import annotations

from typing import Any

import pytest

from headgate.core.messages import ErrorInfo, Image, Text, ToolResult
from headgate.engine.hygiene import clean, cut, payload


def cleaned(result: ToolResult, limit: int = 1000) -> ToolResult:
    return clean(result, lambda text: text.replace("hunter22", "[redacted]"), limit)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ({"a": "hunter22"}, {"a": "[redacted]"}),
        ({"hunter22": 1}, {"[redacted]": 1}),
        (["a\u200bb\x07\u202e"], ["ab"]),
        ([float("nan"), float("inf"), 1.5], [None, None, 1.5]),
        ({1: (1, 2)}, {"1": [1, 2]}),
        ("\ud83d", "?"),
    ],
)
def test_values(value: Any, shown: Any) -> None:
    """Secrets, invisible characters and what is no JSON are taken out, at every depth."""
    assert cleaned(ToolResult(structured=value)).structured == shown


@pytest.mark.parametrize(
    "result",
    [
        ToolResult(structured=object()),
        ToolResult(meta={"a": object()}),
        ToolResult(status="error", error=ErrorInfo("c", "m", details={"a": object()})),
    ],
)
def test_what_is_no_json(result: ToolResult) -> None:
    """A result with an odd part is an error, not a crash of the run."""
    found = cleaned(result)
    assert found.error is not None
    assert found.error.code == "invalid_result"


def test_depth() -> None:
    """A result that is nested too deeply is an error."""
    value: Any = 1
    for _ in range(100):
        value = [value]
    found = cleaned(ToolResult(structured=value))
    assert found.error is not None


def test_size() -> None:
    """What is larger than the limit is cut and says so, texts and errors alike."""
    text = cleaned(ToolResult(content=(Text("é" * 600),)), 99)
    assert text.payload == "é" * 49 + "\n[cut: 99 of 1200 bytes are shown]"
    assert text.meta == {"cut": {"bytes": 1200, "shown": 99}}
    error = cleaned(ToolResult(status="error", error=ErrorInfo("c", "x" * 200, details={"a": "y" * 200})), 99)
    assert error.error == ErrorInfo("c", "x" * 99 + "\n[cut: 99 of 200 bytes are shown]")


def test_a_cut_with_a_handle() -> None:
    """The note names the handle and the size; what is no text stays, and no character is cut in two."""
    picture = Image("image/png", b"x")
    result = ToolResult(content=(Text("aé"), picture, Text("bc")), meta={"status": 200})
    found = cut(result, payload(result), 2, "call_1")
    assert found.content[1:] == (picture,)
    assert found.payload.startswith("a\n[cut: 2 of 5 bytes are shown; read_result reads on")
    assert found.payload.endswith("with handle 'call_1']")
    assert found.meta == {"status": 200, "cut": {"bytes": 5, "shown": 2, "handle": "call_1"}}
