"""Finds ScanSnap units on the air, tells who they are, opens them, and keeps alive what is open."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from ipaddress import IPv4Address

from drivers.ending import to_the_end
from drivers.errors import Busy, DriverError, Unreachable, Unsupported
from drivers.port import Gone, Sighting
from drivers.vens import dialects, flow, sight
from drivers.vens.air import Air, Ears, Ports, broadcasts, own_address
from drivers.vens.calls import ROUND_S, Calls
from drivers.vens.known import Known, Roll
from drivers.vens.names import Hosts
from drivers.vens.reservation import Reservation
from drivers.vens.scanner import VensScanner
from drivers.vens.wire import LETS_GO, Advertisement, DeviceInfo, Event, Family, Notice

log = logging.getLogger(__name__)

_ALIVE_S = 1.0  # the shortest time-out of a reservation is five seconds
_FRESH_S = 1.0  # a unit answers a call within milliseconds
_DOUBT_TIMEOUT_S = 3.0  # as long as a connection may take; a new address is to be told within ten seconds
_RELEASE_TIMEOUT_S = 3.0
_PARTING_TIMEOUT_S = 1.0  # a unit that is lost hardly hears that it is released
_MOST_UNPROVEN = 64  # that are logged


@dataclass(slots=True, eq=False)
class _Held:
    """A unit that is open.

    `as_client`: it has named us as its client; `doubt`: asks whether it is still there; `doubted`: that was logged.
    """

    scanner: VensScanner
    reservation: Reservation
    own: IPv4Address
    as_client: bool = False
    doubt: "asyncio.Task[None] | None" = None
    doubted: bool = False

    @property
    def info(self) -> DeviceInfo:
        """Return what it said when it was opened."""
        return self.reservation.info


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
        round_s: float = ROUND_S,
    ) -> None:
        self._token = token
        self._now = now
        self._broadcast = tuple(IPv4Address(address) for address in broadcast)
        self._hosts = Hosts(hosts)
        self._round_s = round_s
        self._known = Roll(self._sighting)
        self._taken: set[str] = set()  # being opened, open, or being let go
        self._held: dict[str, _Held] = {}
        self._held_at: dict[IPv4Address, _Held] = {}
        self._alive: dict[str, tuple[Family, IPv4Address, IPv4Address]] = {}
        self._unproven: set[str] = set()
        self._news = asyncio.Event()
        self._answered = asyncio.Event()
        self._air = Air(token=token, ports=ports, ears=Ears(self._heard, self._advertised, self._event))
        self._calls = Calls(self._air, networks=self._networks, hosts=self._hosts, round_s=round_s)

    async def sightings(self) -> AsyncGenerator[Sighting | Gone]:
        """Yield each unit when it appears, moves or changes, and when it stays silent for some rounds.

        Ended, and begun again, it tells of every unit anew; what was open until then has to be opened again.
        """
        self._air.open()
        self._known.forget_told()
        self._news.set()
        tasks = (
            asyncio.create_task(self._keep_alive(), name="VENS keep-alive"),
            asyncio.create_task(self._calls.rounds(self._begin_round), name="VENS calls"),
            asyncio.create_task(self._calls.errands(self._known.addresses), name="VENS errands"),
            asyncio.create_task(self._hosts.look_up(self._round_s), name="VENS names"),
        )
        for task in tasks:
            task.add_done_callback(lambda _: self._news.set())  # one that failed is told of at once
        try:
            while True:
                await self._news.wait()
                self._news.clear()
                for event in self._known.changes():
                    yield event
                for task in tasks:
                    if task.done():
                        task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self._air.close()
            for held in self._held.values():
                held.scanner.lose(Busy("Nobody hears the scanner's button any more: it is opened again"))

    async def open(self, sighting_id: str, *, password: str = "") -> VensScanner:
        """Reserve a unit with its password; Unreachable, Busy, WrongPassword or Refused otherwise."""
        known = self._known.get(sighting_id)
        if known is None:
            raise Unreachable("The scanner is not there: switch it on, and check that it has Wi-Fi")
        if why := sight.excuse(known.info):
            raise Unsupported(why)
        if sighting_id in self._taken:
            raise Busy("The scanner is open already")
        self._taken.add(sighting_id)
        try:
            if known.occupied:
                await self._ask_again(known)
            scanner = await self._open(sighting_id, known, password)
        except BaseException as error:
            self._alive.pop(sighting_id, None)
            self._taken.discard(sighting_id)
            if isinstance(error, Busy):
                known.refused()
            raise
        known.opened()
        return scanner

    async def _ask_again(self, known: Known) -> None:
        """Hear who has an occupied unit now: what it said a while ago may be true no more."""
        known.freed = False
        before = known.answers
        self._calls.call(known.info.address)
        with suppress(TimeoutError):
            async with asyncio.timeout(_FRESH_S):
                while known.answers == before:
                    self._answered.clear()
                    await self._answered.wait()

    async def _open(self, sighting_id: str, known: Known, password: str) -> VensScanner:
        info = known.info
        if not known.is_told:
            raise Unreachable("The scanner has just changed: it is looked at again")
        reservation = Reservation(info, dialects.of(info), self._token, known.freed)
        own = await asyncio.to_thread(own_address, info.address)
        self._alive[sighting_id] = info.family, info.address, own
        self._air.call(info.family, info.address, own, alive=True)  # section 2.4: before or right after RESERVE
        taken = asyncio.ensure_future(
            reservation.take(
                own=own,
                event_port=self._air.event_port,
                password=password or sight.default_password(info),
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
            if not taken.cancelled() and taken.exception() is None:
                await to_the_end(_let_go(reservation, _RELEASE_TIMEOUT_S))
            raise
        scanner = VensScanner(
            id=sighting_id,
            reservation=reservation,
            before=before,
            now=self._now,
            closed=lambda: self._closed(sighting_id),
        )
        self._held[sighting_id] = self._held_at[info.address] = _Held(scanner, reservation, own)
        return scanner

    async def _closed(self, sighting_id: str) -> None:
        """Release a unit; it can be opened again after that."""
        held = self._held.pop(sighting_id)
        if self._held_at.get(held.info.address) is held:
            del self._held_at[held.info.address]
        del self._alive[sighting_id]
        if held.doubt is not None:
            held.doubt.cancel()
            await asyncio.gather(held.doubt, return_exceptions=True)
        try:
            await _let_go(held.reservation, _PARTING_TIMEOUT_S if held.scanner.lost else _RELEASE_TIMEOUT_S)
        finally:
            self._taken.discard(sighting_id)

    # --- what is heard

    def _heard(self, info: DeviceInfo, _sender: IPv4Address) -> None:
        held = self._held.get(sight.name(info))
        if held is not None and info.mac == held.info.mac and info.address != held.info.address:
            self._doubt(held, info)
            return
        if self._known.hear(info):
            self._news.set()
        self._answered.set()
        if held is not None and info.mac == held.info.mac:
            if info.client == held.own:
                held.as_client = True
            elif held.as_client:
                held.scanner.lose(Unreachable("The scanner dropped the connection"))

    def _doubt(self, held: _Held, info: DeviceInfo) -> None:
        """Ask a unit that we hold whether it has moved: anybody can say so in its name."""
        if held.doubt is None or held.doubt.done():
            held.doubt = asyncio.create_task(self._settle(held, info), name=f"VENS {info.host_name} at {info.address}?")

    async def _settle(self, held: _Held, info: DeviceInfo) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(_DOUBT_TIMEOUT_S):
                if await held.reservation.answers():
                    if not held.doubted:
                        log.warning("%s: %s claims to be it, and is not", held.scanner.id, info.address)
                    held.doubted = True
                    return
        held.scanner.lose(Unreachable(f"The scanner has moved to {info.address}"), at_once=True)
        if self._known.hear(info):
            self._news.set()

    def _advertised(self, advertisement: Advertisement, _sender: IPv4Address) -> None:
        """Call a unit that is somewhere else than where it was, or new."""
        self._calls.soon(advertisement.address)

    def _event(self, event: Event, sender: IPv4Address) -> None:
        held = self._held_at.get(sender)
        if held is None:
            return
        if event.kind == Notice.START:
            held.scanner.notice()
        elif event.kind in LETS_GO:
            held.scanner.lose(Unreachable("The scanner ended the connection: it sleeps, or somebody took it over"))

    def _sighting(self, info: DeviceInfo) -> Sighting:
        found = sight.sighting(info, self._now())
        if found.driven and found.id not in self._unproven and len(self._unproven) < _MOST_UNPROVEN:
            self._unproven.add(found.id)
            log.warning("found, dialect unproven: %s at %s: %s", info.host_name, info.address, info.raw.hex(" "))
        return found

    # --- what is sent

    def _networks(self) -> dict[IPv4Address, IPv4Address]:
        return {it: own_address(it) for it in self._broadcast} if self._broadcast else broadcasts()

    def _begin_round(self) -> Iterator[IPv4Address]:
        """Give up who has missed too many rounds, and return who is called by its own address."""
        for sighting_id in self._known.begin_round():
            self._news.set()
            held = self._held.get(sighting_id)
            if held is not None:
                held.scanner.lose(
                    Unreachable("The scanner does not answer any more: check that it is on and has Wi-Fi")
                )
        return (info.address for info in self._known.late())

    async def _keep_alive(self) -> None:
        while True:
            for family, address, own in self._alive.values():
                self._air.call(family, address, own, alive=True)
            await asyncio.sleep(_ALIVE_S)


async def _let_go(reservation: Reservation, timeout_s: float) -> None:
    """Release a unit, as well as it can be reached; it frees itself when nobody keeps the reservation alive."""
    with suppress(DriverError, TimeoutError):
        async with asyncio.timeout(timeout_s):
            await reservation.release()
