"""The rules of the egress guard."""

from __future__ import annotations

import pytest

from headgate.core.errors import ConfigError, EgressRefused
from headgate.net.egress import Egress

PUBLIC, PRIVATE, METADATA = "93.184.215.14", "10.0.0.5", "169.254.169.254"


def test_public_https_is_open() -> None:
    """Without any entry, https to a public address may be dialled."""
    assert Egress().permit("https", "example.com", 443, [PUBLIC]) == (PUBLIC,)


@pytest.mark.parametrize(
    ("scheme", "address", "message"),
    [
        ("http", PUBLIC, "plain http"),
        ("https", PRIVATE, "private"),
        ("https", "127.0.0.1", "loopback"),
        ("https", METADATA, "metadata"),
        ("https", "100.64.1.1", "shared"),
        ("https", "::ffff:10.0.0.5", "private"),
    ],
)
def test_everything_else_is_refused(scheme: str, address: str, message: str) -> None:
    """Plain http and addresses that are not public are refused, with the reason."""
    with pytest.raises(EgressRefused, match=message):
        Egress().permit(scheme, "example.com", 443, [address])


@pytest.mark.parametrize(
    ("entry", "host", "port", "address"),
    [
        ("crm.internal", "crm.internal", 80, PRIVATE),
        ("crm.internal", "CRM.internal.", 80, PRIVATE),
        ("*.corp.example", "a.b.corp.example", 8080, PRIVATE),
        ("crm.internal:8080", "crm.internal", 8080, PRIVATE),
        ("localhost", "localhost", 80, "127.0.0.1"),
        ("10.0.0.0/8", "crm.internal", 80, PRIVATE),
        ("10.0.0.5", "10.0.0.5", 80, PRIVATE),
        ("10.0.0.5:81", "10.0.0.5", 81, PRIVATE),
        ("[::1]:81", "::1", 81, "::1"),
        ("::1", "::1", 81, "::1"),
        ("10.0.0.0/8", "x", 80, "::ffff:10.0.0.5"),
        ("169.254.169.254", "metadata", 80, METADATA),
    ],
)
def test_entries_open_http_and_private_addresses(entry: str, host: str, port: int, address: str) -> None:
    """A named host or network may be reached by plain http."""
    egress = Egress((entry,))
    egress.screen("http", host, port)
    assert egress.permit("http", host, port, [address]) == (address,)


@pytest.mark.parametrize(
    ("entry", "host", "port", "address"),
    [
        ("crm.internal", "evil.crm.internal", 80, PRIVATE),
        ("*.corp.example", "corp.example", 80, PRIVATE),
        ("crm.internal:8080", "crm.internal", 80, PRIVATE),
        ("10.0.0.0/8", "x", 80, "192.168.0.1"),
        ("10.0.0.5:81", "10.0.0.5", 80, PRIVATE),
        ("crm.internal", "crm.internal", 80, METADATA),
        ("crm.internal", "crm.internal", 80, "0.0.0.0"),
    ],
)
def test_entries_open_nothing_more(entry: str, host: str, port: int, address: str) -> None:
    """Other hosts, ports and networks stay closed; a name never opens a metadata service."""
    with pytest.raises(EgressRefused):
        Egress((entry,)).permit("http", host, port, [address])


def test_only_permitted_addresses_are_left() -> None:
    """Of a host's addresses, those that may not be dialled are dropped."""
    assert Egress().permit("https", "example.com", 443, [PRIVATE, PUBLIC]) == (PUBLIC,)


def test_screen_refuses_without_a_look_up() -> None:
    """Other schemes, and plain http to a host that no entry can cover, are refused before DNS is asked."""
    with pytest.raises(EgressRefused, match="only http and https"):
        Egress().screen("ftp", "example.com", 21)
    with pytest.raises(EgressRefused, match="plain http"):
        Egress(("crm.internal",)).screen("http", "example.com", 80)


@pytest.mark.parametrize(
    ("entry", "hint"),
    [
        ("https://crm.internal", "write its host alone"),
        ("crm.internal/path", "write a host"),
        ("*", "write a host"),
        ("10.*", "write a host"),
        ("crm.*", "write a host"),
        ("2130706433", "write a host"),
        ("0x7f000001", "write a host"),
        ("", "write a host"),
        ("bücher.example", "write a host"),
        ("10.0.0.1/8", "did you mean '10.0.0.0/8'?"),
        ("crm.internal:99999", "ports go from 1 to 65535"),
    ],
)
def test_bad_entries_are_findings(entry: str, hint: str) -> None:
    """An entry that cannot be read is named by its index, with a hint; opening a guard with it fails."""
    (finding,) = Egress.check(["ok.example", entry])
    assert (finding.key, finding.code) == ((1,), "HG1004")
    assert finding.hint.startswith(hint)
    with pytest.raises(ConfigError):
        Egress((entry,))
