"""The entries of `[egress] allow`: host, host glob, IP address or CIDR, each with an optional port."""

from __future__ import annotations

import fnmatch
import re
from dataclasses import dataclass
from ipaddress import ip_network

from headgate.core.errors import ConfigError
from headgate.net.addresses import Address, Network, inner

_LABEL = r"[a-z0-9*_](?:[a-z0-9*_-]*[a-z0-9*_])?"
_HOST = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_NUMERIC = re.compile(r"(?:0x[0-9a-f]*|[0-9]+)")
_PORT = re.compile(r"(?P<host>\[[^\]]*\]|[^:\[\]]*):(?P<port>\d{1,5})")
_EXAMPLES = "write a host (crm.internal, *.corp.example), an address or a CIDR (10.0.0.0/8), each with :port if need be"


@dataclass(frozen=True, slots=True)
class Rule:
    """One entry: either a `host` glob or a `network`; without a port it holds for every port."""

    host: str = ""
    network: Network | None = None
    port: int | None = None

    def names(self, host: str, port: int) -> bool:
        """Whether the rule names this host; `*` stands for any number of characters, dots included."""
        return bool(self.host) and self._port_fits(port) and fnmatch.fnmatchcase(host, self.host)

    def holds(self, address: Address, port: int) -> bool:
        """Whether the rule's network holds this address, or the IPv4 address that it stands for."""
        if self.network is None or not self._port_fits(port):
            return False
        return any(each.version == self.network.version and each in self.network for each in (address, inner(address)))

    def _port_fits(self, port: int) -> bool:
        return self.port is None or self.port == port


def parse_rule(entry: str) -> Rule:
    """The rule that an entry stands for; raises `ConfigError` with a hint."""
    text = entry.strip().lower()
    host, port = _split_port(text)
    network = _network(entry, host.strip("[]"))
    if network is not None:
        return Rule(network=network, port=port)
    if "://" in text:
        raise ConfigError(f"{entry!r} is a URL", hint="write its host alone")
    host = host.rstrip(".")
    if not _HOST.fullmatch(host):
        raise ConfigError(f"{entry!r} is neither a host nor a network", hint=_EXAMPLES)
    last = host.rpartition(".")[2]
    if "*" in last or _NUMERIC.fullmatch(last):
        raise ConfigError(f"{entry!r} would cover addresses and every domain", hint=_EXAMPLES)
    return Rule(host=host, port=port)


def _split_port(text: str) -> tuple[str, int | None]:
    match = _PORT.fullmatch(text)
    if match is None:
        return text, None
    port = int(match["port"])
    if not 0 < port < 65536:
        raise ConfigError(f"{port} is not a port", hint="ports go from 1 to 65535")
    return match["host"], port


def _network(entry: str, host: str) -> Network | None:
    try:
        return ip_network(host)
    except ValueError:
        pass
    try:
        loose = ip_network(host, strict=False)
    except ValueError:
        return None
    raise ConfigError(f"{entry!r} has bits set beyond its prefix", hint=f"did you mean {str(loose)!r}?")
