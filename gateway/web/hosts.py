"""Which names we answer to: an allow-list closes DNS rebinding. And which addresses this machine has now."""

import re
from collections.abc import Iterable
from ipaddress import IPv6Address, ip_address

import ifaddr

_HOST = re.compile(r"(?P<name>\[[0-9a-f:.]+\]|[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?)(?::(?P<port>[0-9]{1,5}))?", re.ASCII)


def own_addresses() -> tuple[str, ...]:
    """Return this machine's addresses; of IPv6 not those that mean another thing on each network."""
    listed = (ip.ip for card in ifaddr.get_adapters() for ip in card.ips)
    found = [ip_address(ip if isinstance(ip, str) else ip[0]) for ip in listed]
    kept = [ip for ip in found if not (ip.is_loopback or (isinstance(ip, IPv6Address) and ip.is_link_local))]
    return tuple(dict.fromkeys(str(ip) for ip in kept))


def name_in(header: str | None) -> str:
    """Return the name in a Host header, in small letters and without brackets; "" if it is none."""
    found = _HOST.fullmatch((header or "").lower())
    return "" if found is None or int(found["port"] or 0) > 65535 else found["name"].strip("[]")


def host_allowed(header: str | None, further: Iterable[str]) -> bool:
    """Tell whether a Host header names us, with any port: loopback, any .local name, a name of the settings, or an
    address that this machine has now."""
    name = name_in(header)
    try:
        ip = ip_address(name)
    except ValueError:
        known = name == "localhost" or name.endswith(".local")
        return known or (bool(name) and name in {n.lower() for n in further})
    return ip.is_loopback or str(ip) in {n.strip("[]") for n in further} or str(ip) in own_addresses()
