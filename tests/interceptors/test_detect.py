"""Which texts hold a credential; every one here is made up, and most are put together so that no scanner minds."""

from __future__ import annotations

import time
from typing import Any

import pytest

from headgate.interceptors.detect import Detector, entropy, find

ONLY: tuple[Detector, ...] = ("assignment",)
RANDOM = "q7Xz2LmP9vKd4RtY8bWc3NfH6jGs1AeU5oQi"
JWT = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9." + "eyJzdWIiOiIxMjM0NTY3ODkwIn0." + "dozjgNryP4J3jVmNHl0w5N_XgL0n3I9P"
PEM = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nMIIEow\n-----END RSA PRIVATE " + "KEY-----"


@pytest.mark.parametrize(
    ("kind", "secret"),
    [
        ("aws", "AKIA" + "Z7VRSQ5TJN2XMLPO"),
        ("github", "ghp_" + "zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ" + "0mLq17"),
        ("github", "github_pat_" + RANDOM[:22] + "_" + (RANDOM + RANDOM)[:59]),
        ("slack", "xoxb-" + "123456789012-abcdefABCDEF"),
        ("slack", "https://hooks.slack.com/" + "services/T0AAAAAAA/B0AAAAAAA/" + RANDOM[:24]),
        ("google", "AIza" + RANDOM[:35]),
        ("stripe", "sk_live_" + RANDOM[:24]),
        ("anthropic", "sk-ant-api03-" + RANDOM),
        ("openai", "sk-proj-" + RANDOM),
        ("jwt", JWT),
        ("private_key", PEM),
    ],
)
def test_well_known_formats(kind: Detector, secret: str) -> None:
    """A credential is found as a whole, wherever it stands."""
    (found,) = find(f"the key is {secret}, keep it")
    assert (found.kind, f"the key is {secret}, keep it"[found.start : found.end]) == (kind, secret)


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("postgresql://app:hunter22x@db.internal:5432/app", "hunter22x"),
        ("amqp://user:p%40ss-word@[::1]/", "p%40ss-word"),
        ("API_KEY=" + RANDOM, RANDOM),
        ('{"client_secret": "' + RANDOM + '"}', RANDOM),
        ("Authorization-token: Bearer " + RANDOM, RANDOM),
        ("password := '" + RANDOM + "'", RANDOM),
    ],
)
def test_what_is_called_a_secret(text: str, secret: str) -> None:
    """Of connection strings and assignments only the secret itself is meant."""
    (found,) = find(text)
    assert text[found.start : found.end] == secret


@pytest.mark.parametrize(
    "text",
    [
        "ghp_" + "x" * 36,
        "ghp_" + "0123456789" * 3 + "000000",
        "eyJub3RoaW5nIjoxfQ.eyJub3RoaW5nIjoxfQ.c2lnbmF0dXJl",
        "postgresql://app:${DB_PASSWORD}@db/app",
        "postgresql://app:<password>@db/app",
        "https://example.com:8443/path@2",
        "API_KEY=your-api-key-goes-here",
        "password: correct horse battery staple",
        "page_token=" + RANDOM,
        "the token is in the drawer",
        "-----BEGIN PUBLIC KEY-----\nMIIB\n-----END PUBLIC KEY-----",
        "commit 9f2b1c8d7e6a5f4b3c2d1e0f9a8b7c6d5e4f3a2b",
    ],
)
def test_what_is_none(text: str) -> None:
    """Stand-ins, references and mere numbers are no credentials."""
    assert find(text) == []


def test_the_name_of_a_member_counts() -> None:
    """In JSON the name stands apart from the value."""
    assert [each.kind for each in find(RANDOM, "apiKey")] == ["assignment"]
    assert find(RANDOM, "customer") == []
    assert find("a sentence about keys, which has 1 digit", "secret") == []


def test_only_what_is_wanted() -> None:
    """Kinds that are not asked for hide nothing and are not found."""
    text = f"token={JWT}"
    assert [each.kind for each in find(text)] == ["jwt"]
    assert [each.kind for each in find(text, kinds=ONLY)] == ["assignment"]


@pytest.mark.parametrize(
    "text",
    ["-----BEGIN PRIVATE KEY-----" * 4000, "eyJ" * 40_000, "a" * 200_000, "api_key" * 20_000, "a://b:" * 20_000],
)
def test_time_grows_with_the_text(text: str) -> None:
    """No text is answered slowly: a megabyte takes seconds at the most."""
    began = time.process_time()
    find(text)
    assert time.process_time() - began < 10


def test_entropy() -> None:
    """One character says nothing, two that alternate one bit each."""
    values: dict[str, Any] = {text: entropy(text) for text in ("", "aaaa", "abab", "abcd")}
    assert values == {"": 0, "aaaa": 0, "abab": 1, "abcd": 2}
