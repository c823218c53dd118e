"""Asks the devices at fixed addresses who they are. It names them; nobody scans by SNMP."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from drivers.errors import DriverError, PeerError, Refused, Unsupported
from drivers.port import Gone, Scanner, Sighting
from drivers.snmp import wire
from drivers.snmp.wire import Identification

log = logging.getLogger(__name__)

PORT = 161
_TIMEOUT_S = 1.5  # section 5: one to two seconds, one retry
_RETRIES = 1
_ROUND_S = 60.0  # names change rarely, and silent addresses are asked for ever
_MISSED_ROUNDS = 3  # a datagram may be lost, a device may restart
_AT_ONCE = 16  # a few hundred silent addresses still fit into a round


async def read(
    host: str,
    *,
    port: int = PORT,
    community: str = "public",
    timeout_s: float = _TIMEOUT_S,
    retries: int = _RETRIES,
) -> Identification:
    """Ask one address (or host name) by v2c who is there.

    Unreachable: silence; PeerError: nonsense; Refused: an agent that says nothing of itself.
    """
    from drivers.snmp.link import connected  # pysnmp is loaded by whoever has an address to ask, 3 MB and 25 ms

    async with connected(host, port, community=community, timeout_s=timeout_s, retries=retries) as link:
        values = await link.get(wire.SYSTEM)
        if not values:
            raise Refused("It answers SNMP, but does not say who it is")
        values |= await link.get(wire.FURTHER)
        types = await link.walk(wire.IF_TYPE, wire.MOST_INTERFACES)
        macs = await link.walk(wire.IF_PHYS_ADDRESS, wire.MOST_INTERFACES)
    return wire.identification(values, types, macs)


@dataclass(slots=True)
class _Known:
    """A device that was told of, and how many rounds in a row it has missed."""

    told: Sighting
    missed: int = 0


class SnmpFinder:
    """The door of the SNMP family: sightings only.

    `now`: an aware UTC clock; `hosts`: the addresses that are asked, each every `round_s` seconds.
    """

    def __init__(
        self,
        *,
        now: Callable[[], datetime],
        hosts: Sequence[str],
        community: str = "public",
        port: int = PORT,
        round_s: float = _ROUND_S,
        timeout_s: float = _TIMEOUT_S,
    ) -> None:
        self._now = now
        self._hosts = tuple(dict.fromkeys(hosts))
        self._community = community
        self._port = port
        self._round_s = round_s
        self._timeout_s = timeout_s
        self._known: dict[str, _Known] = {}
        self._complaints: dict[str, str] = {}

    async def sightings(self) -> AsyncGenerator[Sighting | Gone]:
        """Yield each device when it answers first or says something else, and when it was silent for some rounds."""
        self._known.clear()
        while self._hosts:
            for event in self._changes(await self._round()):
                yield event
            await asyncio.sleep(self._round_s)
        await asyncio.Event().wait()  # nobody to ask, until closed

    async def open(self, sighting_id: str, *, password: str = "") -> Scanner:
        """Refuse: SNMP only names devices."""
        raise Unsupported("SNMP only tells that the scanner is there: scan from it over eSCL, Wi-Fi or USB")

    async def _round(self) -> dict[str, Sighting]:
        """Ask every address once; what answers, by id. Of two that say they are the same one the first counts."""
        turns = asyncio.Semaphore(_AT_ONCE)
        async with asyncio.TaskGroup() as group:
            asked = [group.create_task(self._ask(host, turns), name=f"SNMP {host}") for host in self._hosts]
        found: dict[str, Sighting] = {}
        for sighting in [sighting for task in asked if (sighting := task.result()) is not None]:
            found.setdefault(sighting.id, sighting)
        return found

    async def _ask(self, host: str, turns: asyncio.Semaphore) -> Sighting | None:
        """Ask one address; None for silence, which is usual: most scanners speak no SNMP."""
        async with turns:
            try:
                told = await read(host, port=self._port, community=self._community, timeout_s=self._timeout_s)
            except DriverError as error:
                self._complain(host, str(error) if isinstance(error, PeerError) else "")
                return None
        self._complain(host, "")
        return self._sighting(host, told)

    def _sighting(self, host: str, told: Identification) -> Sighting:
        return Sighting(
            id=f"snmp:{told.serial or told.mac or host}",
            model=told.model or told.make or host,
            via="snmp",
            address=host,
            fingerprint=f"{told.mac}/{told.serial}",
            seen_at=self._now(),
            driven=_driven(told),
            has_button=False,
            serial=told.serial,
        )

    def _changes(self, found: dict[str, Sighting]) -> list[Sighting | Gone]:
        events: list[Sighting | Gone] = []
        for sighting_id, known in list(self._known.items()):
            known.missed = 0 if sighting_id in found else known.missed + 1
            if known.missed >= _MISSED_ROUNDS:
                del self._known[sighting_id]
                events.append(Gone(sighting_id))
        for sighting_id, sighting in found.items():
            before = self._known.get(sighting_id)
            if before is None or _what(before.told) != _what(sighting):
                self._known[sighting_id] = _Known(sighting)
                events.append(sighting)
        return events

    def _complain(self, host: str, text: str) -> None:
        """Log nonsense once; the next rounds ask again quietly."""
        if text and self._complaints.get(host) != text:
            log.warning("%s: %s", host, text)
        self._complaints[host] = text


def _driven(told: Identification) -> str:
    made = f" (made by {told.make})" if told.make else ""
    return (
        f"Named by SNMP only{made}, and nothing is scanned that way. It is scanned from over eSCL, Wi-Fi or USB "
        "when it offers one of them: switch that on at the device, or connect it by USB"
    )


def _what(sighting: Sighting) -> tuple[str, str, str, str]:
    return sighting.model, sighting.address, sighting.fingerprint, sighting.driven
