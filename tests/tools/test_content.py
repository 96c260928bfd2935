"""What comes from outside, made fit for a model."""

from __future__ import annotations

import pytest

from headgate.core.errors import ToolError
from headgate.core.messages import Content, File, Image, Text
from headgate.tools.content import as_content, is_json, media_type, read_json, redact, visible


def test_hidden_characters_are_taken_out() -> None:
    """Controls, zero-width, bidirectional and tag characters go; tabs, line ends and letters stay."""
    hidden = "\x00\x1b\x7f\x85\u00ad\u200b\u200d\u2028\u202e\u2060\ufeff\ud800\U000e0041\U000e0101"
    kept = "a\tb\r\nç 漢 👍️"
    assert visible(kept) == kept
    assert visible(f"x{hidden}y") == "x\u2028y"


def test_secrets_are_redacted() -> None:
    """Each secret is replaced; very short ones are not looked for."""
    assert redact("token=hunter22 id=7", ("hunter22", "7")) == "token=[redacted] id=7"


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b'{"a": 1}', {"a": 1}),
        (b'{"a": "x\\u200by"}', {"a": "xy"}),
        ('{"a\u200b": ["\u202ex", 1, null]}'.encode(), {"a": ["x", 1, None]}),
        (b'["hunter\\u003222", 123456]', ["[redacted]", 123456]),
        (b'["hunter222"]', ["[redacted]"]),
    ],
)
def test_json_is_tidied(body: bytes, value: object) -> None:
    """Strings are cleaned however they are escaped; numbers are left alone."""
    assert read_json(body, lambda text: visible(redact(text, ("hunter222", "123456")))) == value


@pytest.mark.parametrize("body", [b"{", b"NaN", b"\xff", b"", b"[" * 100_000])
def test_bad_json_is_an_error(body: bytes) -> None:
    """What is not JSON, or nested beyond reading, is an `invalid_result`."""
    with pytest.raises(ToolError) as caught:
        read_json(body, str)
    assert caught.value.code == "invalid_result"


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("", ("", "")),
        ("Application/JSON", ("application/json", "")),
        ('text/html; charset="ISO-8859-1"', ("text/html", "iso-8859-1")),
    ],
)
def test_media_types(header: str, expected: tuple[str, str]) -> None:
    """Type and charset are read from the header, in lower case."""
    assert media_type(header) == expected
    assert is_json("application/problem+json")
    assert not is_json("text/plain")


@pytest.mark.parametrize(
    ("body", "media", "charset", "expected"),
    [
        (b"h\xe9", "text/plain", "latin-1", Text("hé")),
        (b"h\xe9", "text/plain", "no-such", Text("h\ufffd")),
        (b"<a/>", "application/atom+xml", "", Text("<a/>")),
        (b"plain", "", "", Text("plain")),
        (b"\xff\xfe", "", "", File("report", "application/octet-stream", b"\xff\xfe")),
        (b"\x89PNG", "image/png", "", Image("image/png", b"\x89PNG")),
        (b"%PDF", "application/pdf", "", File("report", "application/pdf", b"%PDF")),
    ],
)
def test_other_bodies(body: bytes, media: str, charset: str, expected: Content) -> None:
    """Text, images and files are told apart by media type, and by their bytes when there is none."""
    assert as_content(body, media, charset, "report", visible) == expected
