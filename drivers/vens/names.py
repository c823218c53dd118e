"""Fixed addresses that are called one by one. Names among them are looked up beside the calls, one at a time."""

import asyncio
import socket
from collections.abc import Sequence
from contextlib import suppress
from ipaddress import AddressValueError, IPv4Address


class Hosts:
    """Where to call, as far as it is known: a look-up may take half a minute, and no call waits for it."""

    def __init__(self, hosts: Sequence[str]) -> None:
        self._known: dict[str, IPv4Address] = {}
        self._names: list[str] = []
        for host in hosts:
            try:
                self._known[host] = IPv4Address(host)
            except AddressValueError:
                self._names.append(host)

    @property
    def addresses(self) -> tuple[IPv4Address, ...]:
        """Return the addresses that are known now."""
        return tuple(self._known.values())

    async def look_up(self, every_s: float) -> None:
        """Look the names up again and again; one that nobody knows just now keeps its last address."""
        loop = asyncio.get_running_loop()
        while self._names:
            for name in self._names:
                with suppress(OSError, UnicodeError):
                    [*_, (_, _, _, _, address)] = await loop.getaddrinfo(name, None, family=socket.AF_INET)
                    self._known[name] = IPv4Address(address[0])
            await asyncio.sleep(every_s)
