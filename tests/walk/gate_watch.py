"""Looks at every sink after every event: what is there, and might it be? And where does each page lie at the end?"""

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from typing import Any

from gateway.core.gate import Permit
from gateway.core.model import Delivery, DeliveryState, ScanState
from gateway.destinations.port import Parcel
from tests.walk.crash.sheets import Sheet, check_whole
from tests.walk.gate_house import House, Person

_ALL = 10_000
_SHEET = re.compile(rb"sheet:([0-9a-z/-]+);", re.ASCII)
_ON_ITS_WAY = (DeliveryState.SENDING, DeliveryState.COMMITTING)
_UNDECIDED = (DeliveryState.WAITING, DeliveryState.UNCERTAIN)


class Violation(AssertionError):
    """Something that must hold does not."""


class Tap:
    """Makes uploads slow: while it is shut, each stands still in the middle of its document."""

    def __init__(self) -> None:
        self.shut = False
        self.standing: set[str] = set()
        self._open = asyncio.Event()

    def turn_off(self) -> None:
        """Let uploads come to stand from now on."""
        self.shut = True
        self._open.clear()

    def turn_on(self) -> None:
        """Let what stands go on."""
        self.shut = False
        self._open.set()

    async def over(self, delivery: Delivery, parcel: Parcel) -> AsyncIterator[bytes]:
        """Yield a parcel's stream, and stand in its middle."""
        sent, middle = 0, parcel.byte_count // 2
        async with aclosing(parcel.open()) as stream:
            async for chunk in stream:
                before = max(0, middle - sent)
                sent += len(chunk)
                if before < len(chunk) and sent - len(chunk) <= middle:
                    yield chunk[:before]
                    await self._stand(delivery)
                    yield chunk[before:]
                else:
                    yield chunk

    async def _stand(self, delivery: Delivery) -> None:
        self.standing.add(delivery.id)
        try:
            await self._open.wait()
        finally:
            self.standing.discard(delivery.id)


class Watch:
    """Knows which sheets were scanned for whom, and what arrived. `again`: how often a document was sent once more.

    `sheet` makes one of a person's; `asks_the_page`: whether what the gateway says of its gate is held against the
    model, too.
    """

    def __init__(self, house: House, sheet: Callable[[str], Sheet], *, asks_the_page: bool = True) -> None:
        self.house = house
        self._sheet = sheet
        self._asks_the_page = asks_the_page
        self.tap = Tap()
        self.hasty = False
        self.scans: dict[str, tuple[Person, tuple[str, ...]]] = {}
        self.again: Counter[tuple[str, str]] = Counter()
        self.arrived: Counter[tuple[str, str]] = Counter()
        self._sizes: dict[int, str] = {}
        self._read: dict[str, dict[str, tuple[str, ...]]] = {kind: {} for kind in house.place.sinks}
        self._asked: set[str] = set()
        house.when_started = self._attach

    def _attach(self) -> None:
        """Look over the outbox's shoulder: slow its documents down, and know which deliveries it asked the gate for."""
        outbox = self.house.services.outbox
        document, ask = outbox._renderer.document, outbox._gatekeeper.ask

        @asynccontextmanager
        async def slowed(delivery: Delivery, permit: Permit) -> AsyncIterator[tuple[Parcel, int]]:
            async with document(delivery, permit) as (parcel, pages):
                yield self._slowed(delivery, parcel), pages

        async def asking(delivery: Delivery) -> Any:
            answer = await ask(delivery)
            self._asked.add(delivery.id)
            return answer

        outbox._renderer.document, outbox._gatekeeper.ask = slowed, asking

    def _slowed(self, delivery: Delivery, parcel: Parcel) -> Parcel:
        """Return the parcel with a stream that the tap stops, not yet where a sink only looks at it."""
        kinds = {d: kind for person in self.house.people.values() for d, kind in person.destinations.items()}
        looks = self.house.place.sinks[kinds[delivery.destination]].looks_first
        left = [looks] * self.tap.shut

        def opened() -> AsyncIterator[bytes]:
            if not left:
                return parcel.open()
            left[0] -= 1
            return parcel.open() if left[0] >= 0 else self.tap.over(delivery, parcel)

        return replace(parcel, open=opened)

    async def scanned(self, person: Person, sheets: tuple[Sheet, ...]) -> None:
        """Press Scan with these sheets in the feeder and wait until that was dealt with."""
        stand = self.house.stands[person.name]
        before = len(stand.acknowledged)

        async def answered() -> bool:
            return stand.unanswered == 0

        stand.press(sheets)
        await self.house.until("the press to be answered", answered)
        names = tuple(sheet.name for sheet in stand.acknowledged[before:])
        self._sizes |= {len(sheet.jpeg()): sheet.name for sheet in sheets}
        self.scans |= dict.fromkeys(names, (person, names))

    # --- after every event

    async def look(self) -> None:
        """Wait until the outbox has done all that it may do now, then hold the sinks against the model."""
        if self.hasty and self.tap.standing and not self._all_forward():
            self.tap.turn_on()  # in this very moment
        await self.settle()
        self.look_at_the_sinks()
        if await self._baited():
            await self.settle()
            self.look_at_the_sinks()
        for person in self.house.people.values() if self._asks_the_page else ():
            says = (await self.house.services.catalogue.forwarding(person.account)).open
            expect(says == self._forwards(person), f"forwarding for {person.name}: the page says {says}")
        self.house.flashes.clear()

    async def _baited(self) -> bool:
        """Have something wait at every gate that is shut: one that lets go of it is found out there and then."""
        baited = False
        for person in self.house.people.values():
            takes = not person.right.leaving and self.house.stands[person.name].listening
            if takes and not self._forwards(person) and not await self._held(person):
                await self.scanned(person, (self._sheet(person.name),))
                baited = True
        return baited

    async def _held(self, person: Person) -> bool:
        due = await self.house.services.store.deliveries.due(self.house.clock.now().utc, _ALL)
        return any(delivery.account == person.account for delivery in due)

    def look_at_the_sinks(self) -> None:
        """Hold what arrived since the last look against the model."""
        for kind, sink in self.house.place.sinks.items():
            there = sink.names()
            for name in sorted(there - self._read[kind].keys()):
                self._read[kind][name] = self._judged(kind, name, sink.read(name))
            found = there if sink.filed is None else sink.filed()
            counted = Counter((kind, sheet) for name in found for sheet in self._read[kind].get(name, ()))
            self.arrived |= counted
            for (_, sheet), times in counted.items():
                most = 1 + self.again[kind, sheet] * sink.again
                expect(times <= most, f"{kind} has {sheet} {times} times")

    def _judged(self, kind: str, name: str, data: bytes) -> tuple[str, ...]:
        """Return the sheets of a new document if it may be there and is whole."""
        check_whole(data, f"{kind}: {name}")
        sheets = tuple(found.decode("ascii") for found in _SHEET.findall(data))
        expect(bool(sheets) and sheets[0] in self.scans, f"{kind}: {name} is of no scan: {sheets}")
        person, whole = self.scans[sheets[0]]
        may = self._forwards(person) or person.name in self.house.flashes
        expect(may, f"{kind} was given {sheets} while the gate was shut for {person.name}")
        expect(sheets == whole, f"{kind} has {sheets} of {whole}")
        return sheets

    def _forwards(self, person: Person) -> bool:
        return person.right.forwards(self.house.clock.moment())

    def _all_forward(self) -> bool:
        return all(self._forwards(person) for person in self.house.people.values())

    # --- the outbox at rest

    async def settle(self) -> None:
        """Wait until every delivery that is due was tried, or asked for and refused."""
        self._asked.clear()
        self.house.services.hub.anything.set()
        try:
            await self.house.until("the outbox to rest", self._rests)
        except AssertionError as waited:
            raise Violation(await self._unrest()) from waited

    async def _unrest(self) -> str:
        """Say what does not come to rest."""
        rows = [row for person in self.house.people.values() for row in await self.undecided(person)]
        for row in rows:
            if row.state in _ON_ITS_WAY and not self._forwards(self._owner(row)):
                return f"{row.name} is on its way while the gate was shut for {self._owner(row).name}"
        return f"these neither leave nor rest: {[(row.name, row.state, row.reason) for row in rows]}"

    async def _rests(self) -> bool:
        """Look in the order in which a delivery comes along, so that none slips by."""
        store = self.house.services.store
        if await self._unplanned():
            return False
        due = await store.deliveries.due(self.house.clock.now().utc, _ALL)
        under_way = await store.deliveries.in_state(*_ON_ITS_WAY)
        if any(d.id not in self.tap.standing or not self._forwards(self._owner(d)) for d in under_way):
            return False
        taken = {delivery.destination for delivery in under_way}
        return not any(d.destination not in taken and self._may_move(d) for d in due)

    def _may_move(self, delivery: Delivery) -> bool:
        owner = self._owner(delivery)
        gone = delivery.destination in owner.removed  # then it is given up, whatever the gate says
        return gone or self._forwards(owner) or delivery.id not in self._asked

    async def _unplanned(self) -> bool:
        store = self.house.services.store
        for person in self.house.people.values():
            leads = any(rule.destinations for rule in await store.rules.of_account(person.account))
            if leads and await store.deliveries.scans_without_deliveries(person.account):
                return True
        return False

    def _owner(self, delivery: Delivery) -> Person:
        return next(p for p in self.house.people.values() if p.account == delivery.account)

    # --- at the end

    async def undecided(self, person: Person) -> list[Delivery]:
        """Return the person's deliveries that are not over."""
        rows = await self.house.services.store.deliveries.in_state(*_UNDECIDED, *_ON_ITS_WAY, DeliveryState.FAILED)
        return [row for row in rows if row.account == person.account]

    def is_there(self, delivery: Delivery, sheets: tuple[str, ...]) -> bool:
        """Tell whether the sink of a delivery has its sheets."""
        kind = self._owner(delivery).destinations[delivery.destination]
        return all(self.arrived[kind, sheet] for sheet in sheets)

    async def sheets_of(self, delivery: Delivery) -> tuple[str, ...]:
        """Return the sheets of a delivery's scan: each has a length of its own."""
        pages = await self.house.services.store.scans.pages(delivery.scan)
        return tuple(self._sizes[page.byte_count] for page in pages)

    async def account_for_every_page(self) -> None:
        """Expect each page that a scanner was told is safe in a sink, or sealed in the spool."""
        kept = set()
        for scan in await self.house.services.store.scans.in_state(*ScanState):
            for page in await self.house.services.store.scans.pages(scan.id):
                if (self.house.folder / "state" / "spool" / page.path).is_file():
                    kept.add(self._sizes[page.byte_count])
        lost = set(self.scans) - kept - {sheet for _, sheet in self.arrived}
        expect(not lost, f"lost: {sorted(lost)}")
        for row in await self.house.services.store.deliveries.in_state(DeliveryState.DELIVERED):
            sheets, kind = await self.sheets_of(row), self._owner(row).destinations[row.destination]
            expect(self.is_there(row, sheets), f"{kind} was never given {sheets}, and the ledger says so")


def expect(holds: bool, sentence: str) -> None:
    """Raise Violation if it does not hold."""
    if not holds:
        raise Violation(sentence)
