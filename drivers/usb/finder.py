"""Finds the units of the model table on USB, tells who they are, and opens them."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable
from datetime import datetime
from typing import Any, TypeAlias

import libusb_package
import usb.backend.libusb1

from drivers.errors import Busy, DriverError, Refused, Unreachable
from drivers.models import Model, lookup
from drivers.port import Gone, Sighting
from drivers.scsi import flow
from drivers.scsi.job import Identity
from drivers.usb.link import Link, enumerate_devices
from drivers.usb.scanner import UsbScanner, seen

log = logging.getLogger(__name__)

_POLL_S = 2.0  # USB offers no notice of arrivals that works in every container; listing costs about a millisecond

Place: TypeAlias = tuple[int, int]
"""Bus and address: where a unit is plugged in, never who it is."""


class UsbFinder:
    """The door of the USB family.

    `backend` is a pyusb backend (None: the system's libusb 1.0, else the bundled one); `now` an aware UTC clock.
    """

    def __init__(self, backend: Any | None, now: Callable[[], datetime], poll_s: float = _POLL_S) -> None:
        self._backend = backend
        self._now = now
        self._poll_s = poll_s
        self._identified: dict[Place, Sighting] = {}
        self._open: set[Place] = set()
        self._opening = asyncio.Lock()
        self._complaints: dict[Place | None, str] = {}

    async def sightings(self) -> AsyncGenerator[Sighting | Gone]:
        """Yield each unit when it appears and when it goes; one that cannot be asked now is asked again later."""
        seen: dict[Place, Sighting] = {}
        while True:
            devices = await self._listed()
            if devices is not None:
                for place in [place for place in seen if place not in devices]:
                    yield Gone(seen.pop(place).id)
                self._forget_all_but(devices)
                for place, device in devices.items():
                    sighting = None if place in seen else await self._sight(place, device)
                    if sighting is not None:
                        seen[place] = sighting
                        yield sighting
            await asyncio.sleep(self._poll_s)

    async def open(self, sighting_id: str) -> UsbScanner:
        """Open a unit and make sure that it is the one; Unreachable, Busy or Refused otherwise."""
        place = next((place for place, known in self._identified.items() if known.id == sighting_id), None)
        device = (await self._listed() or {}).get(place) if place is not None else None
        if place is None or device is None:
            raise Unreachable("The scanner is not there: switch it on, open its lid, check its cable")
        async with self._opening:
            if place in self._open:
                raise Busy("The scanner is open already")
            link = await Link.connect(device)
            try:
                model = _model(device)
                identity = await _identity(link)
                if _sighting_id(model, identity) != sighting_id:
                    raise Refused("Another scanner is plugged in where this one was")
                await link.run(flow.recover())
                before = seen(await link.run(flow.status()))
            except BaseException:
                await link.close()
                raise
            self._open.add(place)
        return UsbScanner(
            id=sighting_id,
            model=model,
            identity=identity,
            link=link,
            before=before,
            now=self._now,
            closed=lambda: self._open.discard(place),
        )

    async def _listed(self) -> dict[Place, Any] | None:
        """Return the attached units of the table by place; None if USB could not be listed."""
        try:
            devices = await asyncio.to_thread(self._enumerate)
        except DriverError as error:
            self._complain(None, str(error))
            return None
        self._complaints.pop(None, None)
        return {(int(device.bus), int(device.address)): device for device in devices}

    def _enumerate(self) -> list[Any]:
        if self._backend is None:
            self._backend = usb.backend.libusb1.get_backend() or libusb_package.get_libusb1_backend()
        return enumerate_devices(self._backend, lambda vendor, product: lookup(vendor, product) is not None)

    async def _sight(self, place: Place, device: Any) -> Sighting | None:
        """Open a unit for its identity only. One that is open already is not disturbed."""
        async with self._opening:
            if place in self._open:
                return self._identified.get(place)
            try:
                identity = await _asked(device)
            except DriverError as error:
                self._complain(place, str(error))
                return None
        self._complaints.pop(place, None)
        self._identified[place] = self._sighting(place, _model(device), identity)
        return self._identified[place]

    def _sighting(self, place: Place, model: Model, identity: Identity) -> Sighting:
        bus, address = place
        return Sighting(
            id=_sighting_id(model, identity),
            model=model.name,
            via="usb",
            address=f"usb {bus}-{address}",
            fingerprint=f"{identity.inquiry.product}/{identity.serial}",
            seen_at=self._now(),
        )

    def _forget_all_but(self, devices: dict[Place, Any]) -> None:
        for place in [place for place in self._identified if place not in devices]:
            del self._identified[place]
        for place in [place for place in self._complaints if place is not None and place not in devices]:
            del self._complaints[place]

    def _complain(self, place: Place | None, text: str) -> None:
        """Log a failure once; the next polls try again quietly."""
        if self._complaints.get(place) != text:
            self._complaints[place] = text
            log.warning("%s: %s", f"usb {place[0]}-{place[1]}" if place else "usb", text)


def _sighting_id(model: Model, identity: Identity) -> str:
    return f"usb:{model.name}:{identity.serial}"


def _model(device: Any) -> Model:
    model = lookup(int(device.idVendor), int(device.idProduct))
    if model is None:
        raise Unreachable("The scanner is not there any more")
    return model


async def _asked(device: Any) -> Identity:
    link = await Link.connect(device)
    try:
        return await _identity(link)
    finally:
        await link.close()


async def _identity(link: Link) -> Identity:
    """Ask twice: what a dead host left in the pipe breaks the first dialogue and is read away by it."""
    try:
        return await link.run(flow.identify())
    except DriverError:
        return await link.run(flow.identify())
