"""When units are called (section 2.2): everybody in rounds, who is late one by one, who has advertised soon."""

import asyncio
from collections.abc import Callable, Container, Iterable
from ipaddress import IPv4Address

from drivers.vens.air import Air, own_address
from drivers.vens.names import Hosts
from drivers.vens.wire import Family

ROUND_S = 4.0  # a unit with a new address is to be found within ten seconds, though a call may be lost
_FIRST_ROUNDS = 3  # section 2.2: three or four calls, half a second apart
_FIRST_ROUND_S = 0.6
_ERRAND_S = 0.5  # whoever advertises endlessly, under whatever address, costs a few packets
_MOST_ERRANDS = 32


class Calls:
    """The calls of one gateway. `networks`: where to call everybody, each with our own address there (blocks)."""

    def __init__(
        self, air: Air, *, networks: Callable[[], dict[IPv4Address, IPv4Address]], hosts: Hosts, round_s: float
    ) -> None:
        self._air = air
        self._networks = networks
        self._hosts = hosts
        self._round_s = round_s
        self._errands: set[IPv4Address] = set()
        self._errand = asyncio.Event()

    async def rounds(self, begin: Callable[[], Iterable[IPv4Address]]) -> None:
        """Call in rounds until cancelled; `begin` returns who is called by its own address, too."""
        rounds = 0
        while True:
            late = tuple(begin())
            for broadcast, own in (await asyncio.to_thread(self._networks)).items():
                self.call(broadcast, own)
            for address in (*self._hosts.addresses, *late):
                self.call(address)
            rounds += 1
            await asyncio.sleep(min(_FIRST_ROUND_S, self._round_s) if rounds < _FIRST_ROUNDS else self._round_s)

    async def errands(self, there: Callable[[], Container[IPv4Address]]) -> None:
        """Call whom `soon` named until cancelled, unless a unit is known `there`."""
        while True:
            await self._errand.wait()
            self._errand.clear()
            waiting, self._errands = self._errands, set()
            known = there()
            for address in waiting:
                if address not in known:
                    self.call(address)
            await asyncio.sleep(_ERRAND_S)

    def soon(self, address: IPv4Address) -> None:
        """Have one address called soon; dropped where too many are waiting."""
        if len(self._errands) < _MOST_ERRANDS:
            self._errands.add(address)
            self._errand.set()

    def call(self, to: IPv4Address, own: IPv4Address | None = None) -> None:
        """Call the units of every family at an address now."""
        own = own if own is not None else own_address(to)
        for family in Family:
            self._air.call(family, to, own)
