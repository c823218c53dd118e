"""Which network addresses are whose: public, our own, or on the administrator's allow-list. No connection is made."""

import socket
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import TypeAlias

Address: TypeAlias = IPv4Address | IPv6Address
Network: TypeAlias = IPv4Network | IPv6Network

_NAT64 = IPv6Network("64:ff9b::/96")  # RFC 6052: the last 32 bits are an IPv4 address


@dataclass(frozen=True, slots=True)
class AllowList:
    """What the administrator adds: endpoints by name or address, and whole networks (any port)."""

    endpoints: frozenset[tuple[str, int]]
    networks: tuple[Network, ...]

    @classmethod
    def parse(cls, entries: tuple[str, ...]) -> "AllowList":
        """Read "host:port", "[ipv6]:port" and CIDR entries; ValueError names the bad one."""
        parsed = [_entry(e) for e in entries]
        return cls(
            frozenset(e for e in parsed if isinstance(e, tuple)),
            tuple(e for e in parsed if not isinstance(e, tuple)),
        )

    def names(self, host: str, port: int) -> bool:
        """Tell whether an entry names this host and port."""
        return (_canonical(host), port) in self.endpoints

    def covers(self, host: str, port: int, address: Address) -> bool:
        """Tell whether an entry names the host, the address, or a network around it."""
        plain = embedded(address)
        return (
            self.names(host, port)
            or self.names(str(plain), port)
            or any(plain in network for network in self.networks if network.version == plain.version)
        )


def is_public(address: Address) -> bool:
    """Tell whether an address belongs to the public internet and to one machine there."""
    inner = embedded(address)
    if isinstance(inner, IPv6Address) and inner.is_site_local:
        return False
    return inner.is_global and not inner.is_multicast and not inner.is_unspecified


def is_own(address: Address) -> bool:
    """Tell whether an address is one of this machine's: only those can be bound."""
    inner = embedded(address)
    if inner.is_loopback or inner.is_unspecified:
        return True
    if inner.is_multicast:
        return False
    family = socket.AF_INET if inner.version == 4 else socket.AF_INET6
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind((str(inner), 0))
    except OSError:
        return False
    return True


def embedded(address: Address) -> Address:
    """Return the IPv4 address that an IPv6 address stands for (mapped, NAT64), without scope, else the address."""
    if isinstance(address, IPv4Address):
        return address
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return IPv6Address(int(address))


def _entry(entry: str) -> tuple[str, int] | Network:
    if "/" in entry:
        return ip_network(entry)
    host, separator, port = entry.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not separator or not host or not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        raise ValueError(f"{entry!r} is neither host:port nor a network like 192.168.1.0/24")
    return _canonical(host), int(port)


def _canonical(host: str) -> str:
    try:
        return str(embedded(ip_address(host)))
    except ValueError:
        return host.rstrip(".").lower()
