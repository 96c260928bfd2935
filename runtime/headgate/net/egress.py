"""The egress guard: which outbound addresses may be dialled.

Public HTTPS is open. Plain HTTP and every address that is not public are refused unless `[egress] allow` names them.
A host entry opens private, shared and loopback addresses; metadata services, link-local, multicast and reserved
addresses are opened by an entry with the address or CIDR alone, so that no DNS answer can lead there.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from ipaddress import ip_address

from headgate.core.errors import ConfigError, EgressRefused
from headgate.core.kind import Finding
from headgate.net.addresses import Address, nature
from headgate.net.rules import Rule, parse_rule

_BY_NAME = frozenset({"public", "private", "shared", "loopback"})


class Egress:
    """The rules of one revision; `allow` are the entries of `[egress] allow`. Raises `ConfigError` on a bad entry."""

    __slots__ = ("_rules", "allow")

    def __init__(self, allow: Iterable[str] = ()) -> None:
        self.allow = tuple(allow)
        self._rules: tuple[Rule, ...] = tuple(map(parse_rule, self.allow))

    @staticmethod
    def check(entries: Sequence[str]) -> tuple[Finding, ...]:
        """A finding for every entry that cannot be read; its key is the entry's index."""
        findings = []
        for index, entry in enumerate(entries):
            try:
                parse_rule(entry)
            except ConfigError as error:
                findings.append(Finding((index,), "HG1004", error.message, error.hint))
        return tuple(findings)

    def screen(self, scheme: str, host: str, port: int) -> None:
        """Refuses before any look-up what no address could make right: other schemes, plain HTTP to a host unnamed."""
        if scheme not in ("http", "https"):
            raise EgressRefused(f"only http and https may leave, not {scheme or 'a URL without a scheme'}")
        if scheme == "https" or self._names(host, port) or any(rule.network for rule in self._rules):
            return
        raise _plain(host)

    def permit(self, scheme: str, host: str, port: int, addresses: Iterable[str]) -> tuple[str, ...]:
        """Those of the host's `addresses` that may be dialled, in their order; raises `EgressRefused` if none may."""
        named = self._names(host, port)
        permitted, refused = [], "reserved"
        for text in addresses:
            address = ip_address(text)
            if self._may(scheme, address, port, named=named):
                permitted.append(text)
            else:
                refused = nature(address)
        if permitted:
            return tuple(permitted)
        if refused == "public":
            raise _plain(host)
        raise EgressRefused(f"{host} has a {refused} address; [egress] allow does not name it")

    def _may(self, scheme: str, address: Address, port: int, *, named: bool) -> bool:
        if any(rule.holds(address, port) for rule in self._rules):
            return True
        sort = nature(address)
        return sort in _BY_NAME if named else scheme == "https" and sort == "public"

    def _names(self, host: str, port: int) -> bool:
        plain = host.lower().rstrip(".")
        return any(rule.names(plain, port) for rule in self._rules)


def _plain(host: str) -> EgressRefused:
    return EgressRefused(f"plain http to {host} is refused; use https, or name the host in [egress] allow")
