"""Finds ScanSnap units on the air, tells who they are, opens them, and keeps alive what is open."""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from ipaddress import IPv4Address

from drivers.errors import Busy, DriverError, Unreachable, Unsupported
from drivers.port import Gone, Sighting
from drivers.vens import dialects, flow
from drivers.vens.air import Air, Ears, Ports, broadcasts, own_address
from drivers.vens.names import Hosts
from drivers.vens.reservation import Reservation
from drivers.vens.scanner import VensScanner
from drivers.vens.wire import LETS_GO, Advertisement, DeviceInfo, Event, Family, Notice

log = logging.getLogger(__name__)

_ROUND_S = 4.0  # a unit with a new address is to be found within ten seconds, though a call may be lost
_FIRST_ROUNDS = 3  # section 2.2: three or four calls, half a second apart
_FIRST_ROUND_S = 0.6
_MISSED_ROUNDS = 3
_ALIVE_S = 1.0  # the shortest time-out of a reservation is five seconds
_MOST_UNITS = 1024  # bounds what a liar on the network can make us remember
_RELEASE_TIMEOUT_S = 3.0


@dataclass(slots=True)
class _Known:
    """A unit that answered, when it did, and whether that was told on."""

    info: DeviceInfo
    heard_s: float
    told: Sighting | None = None
    occupied_s: float = float("inf")  # when it first said so; the end of time while it does not

    @property
    def stale(self) -> bool:
        """Tell whether it said after that that nobody has it."""
        return self.heard_s > self.occupied_s and not self.info.notify and not int(self.info.client)


@dataclass(slots=True, eq=False)
class _Held:
    """A unit that is open. `as_client`: it has named us as its client."""

    scanner: VensScanner
    info: DeviceInfo
    own: IPv4Address
    as_client: bool = field(default=False)


class VensFinder:
    """The door of the Wi-Fi family.

    `token`: 6 bytes by which units know this gateway again; `now` an aware UTC clock; `broadcast`: where to call (none:
    every network of this machine); `hosts`: addresses that are called one by one, too.
    """

    def __init__(
        self,
        *,
        token: bytes,
        now: Callable[[], datetime],
        broadcast: Sequence[str] = (),
        hosts: Sequence[str] = (),
        ports: Ports = Ports(),  # noqa: B008 - frozen
        round_s: float = _ROUND_S,
    ) -> None:
        self._token = token
        self._now = now
        self._broadcast = tuple(IPv4Address(address) for address in broadcast)
        self._hosts = Hosts(hosts)
        self._round_s = round_s
        self._known: dict[str, _Known] = {}
        self._held: dict[str, _Held] = {}
        self._opening: set[str] = set()
        self._dropped: list[str] = []
        self._unproven: set[str] = set()
        self._news = asyncio.Event()
        self._air = Air(token=token, ports=ports, ears=Ears(self._heard, self._advertised, self._event))

    async def sightings(self) -> AsyncGenerator[Sighting | Gone]:
        """Yield each unit when it appears, moves or changes, and when it stays silent for some rounds."""
        self._air.open()
        tasks = (
            asyncio.create_task(self._keep_alive(), name="VENS keep-alive"),
            asyncio.create_task(self._call_rounds(), name="VENS calls"),
            asyncio.create_task(self._hosts.look_up(self._round_s), name="VENS names"),
        )
        for task in tasks:
            task.add_done_callback(lambda _: self._news.set())  # one that failed is told of at once
        try:
            while True:
                await self._news.wait()
                self._news.clear()
                for event in self._changes():
                    yield event
                for task in tasks:
                    if task.done():
                        task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self._air.close()

    async def open(self, sighting_id: str, *, password: str = "") -> VensScanner:
        """Reserve a unit with its password; Unreachable, Busy, WrongPassword or Refused otherwise."""
        known = self._known.get(sighting_id)
        if known is None:
            raise Unreachable("The scanner is not there: switch it on, and check that it has Wi-Fi")
        dialect = dialects.of(known.info)
        if not dialect.proven:
            raise Unsupported(_unproven(known.info))
        if sighting_id in self._held or sighting_id in self._opening:
            raise Busy("The scanner is open already")
        self._opening.add(sighting_id)
        try:
            reservation = Reservation(known.info, dialect, self._token, known.stale)
            scanner = await self._open(sighting_id, reservation, password)
        except Busy:
            known.occupied_s = min(known.occupied_s, time.monotonic())
            raise
        else:
            known.occupied_s = float("inf")
            return scanner
        finally:
            self._opening.discard(sighting_id)

    async def _open(self, sighting_id: str, reservation: Reservation, password: str) -> VensScanner:
        info = reservation.info
        own = await asyncio.to_thread(own_address, info.address)
        self._air.call(info.family, info.address, own, alive=True)  # section 2.4: before or right after RESERVE
        taken = asyncio.ensure_future(
            reservation.take(
                own=own,
                event_port=self._air.event_port,
                password=password or default_password(info),
                at=self._now().astimezone(),
            )
        )
        try:
            await asyncio.shield(taken)
            async with reservation.connect() as connection:
                data = reservation.data(connection)
                await data.run(flow.identify())
                before = await data.run(flow.status())
        except BaseException:
            await asyncio.gather(taken, return_exceptions=True)
            if taken.exception() is None:
                await _let_go(reservation)
            raise

        async def closed() -> None:
            if self._held.pop(sighting_id, None) is not None:
                await _let_go(reservation)

        scanner = VensScanner(id=sighting_id, reservation=reservation, before=before, now=self._now, closed=closed)
        self._held[sighting_id] = _Held(scanner, info, own)
        return scanner

    # --- what is heard

    def _heard(self, info: DeviceInfo, _sender: IPv4Address) -> None:
        sighting_id = _id(info)
        known = self._known.get(sighting_id)
        if known is None and len(self._known) >= _MOST_UNITS:
            return
        if known is None:
            known = self._known[sighting_id] = _Known(info, time.monotonic())
        known.info, known.heard_s = info, time.monotonic()
        held = self._held.get(sighting_id)
        if held is not None:
            self._compare(held, info)
        if known.told is None or (known.told.address, known.told.fingerprint) != (str(info.address), _pin(info)):
            self._news.set()

    def _compare(self, held: _Held, info: DeviceInfo) -> None:
        """Notice that an open unit has moved, or has dropped us."""
        if info.mac == held.info.mac and info.address != held.info.address:
            held.scanner.lose(Unreachable(f"The scanner has moved to {info.address}"))
        elif info.address == held.info.address and info.client == held.own:
            held.as_client = True
        elif info.address == held.info.address and held.as_client:
            held.scanner.lose(Unreachable("The scanner dropped the connection"))

    def _advertised(self, advertisement: Advertisement, _sender: IPv4Address) -> None:
        """Call a unit that is somewhere else than where it was, or new."""
        if not any(known.info.address == advertisement.address for known in self._known.values()):
            self._call(advertisement.address)

    def _event(self, event: Event, sender: IPv4Address) -> None:
        held = next((held for held in self._held.values() if held.info.address == sender), None)
        if held is None:
            return
        if event.kind == Notice.START:
            held.scanner.notice()
        elif event.kind in LETS_GO:
            held.scanner.lose(Unreachable("The scanner ended the connection: it sleeps, or somebody took it over"))

    def _changes(self) -> list[Sighting | Gone]:
        events: list[Sighting | Gone] = [Gone(sighting_id) for sighting_id in self._dropped]
        self._dropped.clear()
        for known in self._known.values():
            sighting = self._sighting(known.info)
            if known.told is None or _what(known.told) != _what(sighting):
                known.told = sighting
                events.append(sighting)
        return events

    def _sighting(self, info: DeviceInfo) -> Sighting:
        dialect = dialects.of(info)
        if not dialect.proven and _id(info) not in self._unproven:
            self._unproven.add(_id(info))
            log.warning("found, dialect unproven: %s", info)
        return Sighting(
            id=_id(info),
            model=info.model,
            via="wifi",
            address=str(info.address),
            fingerprint=_pin(info),
            seen_at=self._now(),
            driven="" if dialect.proven else _unproven(info),
            has_button=dialect.has_button,
            serial=info.serial,
            default_password=default_password(info),
        )

    # --- what is sent

    async def _call_rounds(self) -> None:
        rounds = 0
        while True:
            self._forget(time.monotonic() - _MISSED_ROUNDS * self._round_s)
            await self._call_all()
            rounds += 1
            await asyncio.sleep(min(_FIRST_ROUND_S, self._round_s) if rounds < _FIRST_ROUNDS else self._round_s)

    async def _call_all(self) -> None:
        """Call everybody; those that missed the last call, and fixed addresses, one by one."""
        everywhere = await asyncio.to_thread(self._networks)
        for broadcast, own in everywhere.items():
            self._call(broadcast, own)
        for address in self._hosts.addresses:
            self._call(address)
        late = time.monotonic() - 1.5 * self._round_s
        for known in self._known.values():
            if known.heard_s < late:
                self._call(known.info.address)

    def _networks(self) -> dict[IPv4Address, IPv4Address]:
        return {it: own_address(it) for it in self._broadcast} if self._broadcast else broadcasts()

    def _call(self, to: IPv4Address, own: IPv4Address | None = None) -> None:
        own = own if own is not None else own_address(to)
        for family in Family:
            self._air.call(family, to, own)

    def _forget(self, silent_since_s: float) -> None:
        for sighting_id in [key for key, known in self._known.items() if known.heard_s < silent_since_s]:
            known = self._known.pop(sighting_id)
            held = self._held.get(sighting_id)
            if held is not None:
                held.scanner.lose(
                    Unreachable("The scanner does not answer any more: check that it is on and has Wi-Fi")
                )
            if known.told is not None:
                self._dropped.append(sighting_id)
                self._news.set()

    async def _keep_alive(self) -> None:
        while True:
            for held in self._held.values():
                self._air.call(held.info.family, held.info.address, held.own, alive=True)
            await asyncio.sleep(_ALIVE_S)


def default_password(info: DeviceInfo) -> str:
    """Return what a unit asks for until its owner changes it (section 5): the end of its serial number."""
    return info.serial[-4:]


def _id(info: DeviceInfo) -> str:
    return f"vens:{info.model}:{info.serial}"


def _pin(info: DeviceInfo) -> str:
    return f"{info.mac}/{info.serial}"


def _what(sighting: Sighting) -> tuple[str, str]:
    return sighting.address, sighting.fingerprint


def _unproven(info: DeviceInfo) -> str:
    return (
        f"Found, dialect unproven: nobody has published how the {info.model} is scanned from over Wi-Fi. "
        "Connect it by USB"
    )


async def _let_go(reservation: Reservation) -> None:
    """Release a unit, as well as it can be reached; it frees itself when nobody keeps the reservation alive."""
    with suppress(DriverError, TimeoutError):
        async with asyncio.timeout(_RELEASE_TIMEOUT_S):
            await reservation.release()
