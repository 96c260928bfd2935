"""What an IP address is: public, or which sort of not public (IANA special-purpose registries, RFC 6890)."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Literal

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
Nature = Literal["public", "private", "loopback", "shared", "metadata", "link-local", "multicast", "reserved"]

_NAT64 = IPv6Network("64:ff9b::/96")
_GLOBAL_UNICAST = IPv6Network("2000::/3")
# Instance metadata and platform services of the large clouds that are not link-local; one of them is a public address.
_METADATA = frozenset(
    ip_address(text)
    for text in ("169.254.169.254", "168.63.129.16", "100.100.100.200", "192.0.0.192", "fd00:ec2::254", "fd20:ce::254")
)
_PRIVATE = tuple(map(ip_network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")))
_SHARED = ip_network("100.64.0.0/10")
# Listed here because `ipaddress` came to know them in different patch releases of Python.
_RESERVED = tuple(
    map(ip_network, ("192.0.0.0/24", "192.88.99.0/24", "2001::/23", "2001:db8::/32", "3fff::/20", "5f00::/16"))
)


def inner(address: Address) -> Address:
    """The IPv4 address that an IPv6 form stands for (mapped, 6to4, NAT64), else the address itself."""
    if isinstance(address, IPv4Address):
        return address
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or _without_zone(address)


def nature(address: Address) -> Nature:
    """What sort of address it is; IPv6 forms of IPv4 addresses are judged by the IPv4 address."""
    address = inner(address)
    if address in _METADATA:
        return "metadata"
    if address.is_loopback:
        return "loopback"
    if address.is_link_local:
        return "link-local"
    if address.is_multicast:
        return "multicast"
    if address in _SHARED:
        return "shared"
    if any(address in network for network in _PRIVATE):
        return "private"
    return "public" if _is_global(address) else "reserved"


def _is_global(address: Address) -> bool:
    if any(address in network for network in _RESERVED):
        return False
    if isinstance(address, IPv6Address) and address not in _GLOBAL_UNICAST:
        return False
    return address.is_global and not address.is_reserved and not address.is_unspecified


def _without_zone(address: IPv6Address) -> IPv6Address:
    return IPv6Address(int(address))
