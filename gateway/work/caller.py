"""Who calls, from where, and by what: as far as a request tells."""

import ipaddress
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Caller:
    """The other end: its address, what it calls itself, and the cookie by which a known device is known."""

    peer: str
    client: str = ""
    device: str = ""

    @property
    def network(self) -> str:
        """Return the caller's network: /24 of IPv4, /64 of IPv6 (whoever has one address there has them all)."""
        try:
            address = ipaddress.ip_address(self.peer.partition("%")[0])
        except ValueError:
            return self.peer
        if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        return str(ipaddress.ip_network((address, 24 if address.version == 4 else 64), strict=False))
