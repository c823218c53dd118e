"""Which network addresses are whose: public, our own, or on the administrator's allow-list. No connection is made."""

import socket
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import TypeAlias

Address: TypeAlias = IPv4Address | IPv6Address
Network: TypeAlias = IPv4Network | IPv6Network

# What stands for an IPv4 address, and how many bits lie to the right of that.
_WRAPPINGS: tuple[tuple[IPv6Network, int], ...] = (
    (IPv6Network("::ffff:0:0/96"), 0),  # mapped, RFC 4291 (2.5.5.2)
    (IPv6Network("::ffff:0:0:0/96"), 0),  # translated, RFC 2765 (2.1)
    (IPv6Network("64:ff9b::/96"), 0),  # NAT64, RFC 6052 (2.1)
    (IPv6Network("2002::/16"), 80),  # 6to4, RFC 3056 (2)
    (IPv6Network("::/96"), 0),  # compatible, RFC 4291 (2.5.5.1)
)
_OF_THEIR_OWN = frozenset({IPv6Address("::"), IPv6Address("::1")})  # look compatible, and are not
# IANA gives out no other addresses to machines; what Python knows of the rest differs from version to version.
_UNICAST = IPv6Network("2000::/3")
_NOBODYS: tuple[Network, ...] = (
    IPv4Network("192.0.0.0/24"),  # protocol assignments, RFC 6890
    IPv4Network("192.88.99.0/24"),  # relays of 6to4 once, RFC 7526
    IPv6Network("2001::/23"),  # protocol assignments, Teredo among them
    IPv6Network("2001:db8::/32"),  # documentation, RFC 3849
    IPv6Network("3fff::/20"),  # likewise, RFC 9637
)


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
    if isinstance(inner, IPv6Address) and inner not in _UNICAST:
        return False
    if any(inner in network for network in _NOBODYS):
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
    """Return the IPv4 address that an IPv6 address stands for, else the address itself, without scope."""
    if isinstance(address, IPv4Address):
        return address
    plain = IPv6Address(int(address))
    for network, right_bits in _WRAPPINGS:
        if plain in network and plain not in _OF_THEIR_OWN:
            return IPv4Address(int(plain) >> right_bits & 0xFFFFFFFF)
    return plain


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
