"""What sort of address an address is."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from headgate.net.addresses import inner, nature


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("93.184.215.14", "public"),
        ("2606:4700::1111", "public"),
        ("10.1.2.3", "private"),
        ("172.31.255.255", "private"),
        ("192.168.0.1", "private"),
        ("fd12::1", "private"),
        ("127.0.0.1", "loopback"),
        ("127.8.8.8", "loopback"),
        ("::1", "loopback"),
        ("100.64.0.1", "shared"),
        ("169.254.1.1", "link-local"),
        ("fe80::1", "link-local"),
        ("fe80::1%eth0", "link-local"),
        ("169.254.169.254", "metadata"),
        ("168.63.129.16", "metadata"),
        ("100.100.100.200", "metadata"),
        ("fd00:ec2::254", "metadata"),
        ("224.0.0.1", "multicast"),
        ("ff02::1", "multicast"),
        ("0.0.0.0", "reserved"),
        ("::", "reserved"),
        ("0.1.2.3", "reserved"),
        ("240.0.0.1", "reserved"),
        ("255.255.255.255", "reserved"),
        ("192.0.2.1", "reserved"),
        ("198.18.0.1", "reserved"),
        ("192.88.99.1", "reserved"),
        ("2001:db8::1", "reserved"),
        ("2001:0:1::1", "reserved"),
        ("3fff::1", "reserved"),
        ("fec0::1", "reserved"),
        ("64:ff9b:1::1", "reserved"),
        ("::10.0.0.1", "reserved"),
    ],
)
def test_nature(text: str, expected: str) -> None:
    """Special-purpose ranges are told apart from the public Internet."""
    assert nature(ip_address(text)) == expected


@pytest.mark.parametrize("text", ["::ffff:10.0.0.1", "2002:0a00:0001::1", "64:ff9b::10.0.0.1"])
def test_ipv6_forms_are_judged_by_the_address_inside(text: str) -> None:
    """Mapped, 6to4 and NAT64 forms are what their IPv4 address is."""
    assert str(inner(ip_address(text))) == "10.0.0.1"
    assert nature(ip_address(text)) == "private"


def test_a_form_of_a_public_address_is_public() -> None:
    """NAT64 networks reach public hosts by such addresses."""
    assert nature(ip_address("64:ff9b::5db8:d70e")) == "public"
