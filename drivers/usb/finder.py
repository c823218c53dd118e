"""Finds the units of the model table on USB, tells who they are, and opens them."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable
from datetime import datetime
from typing import Any, TypeAlias

import libusb_package
import usb.backend.libusb1
import usb.core
import usb.util

from drivers.errors import Busy, DriverError, Refused, Unreachable
from drivers.models import FUJITSU_VENDOR, RICOH_VENDOR, Family, Model, lookup, unknown
from drivers.port import Gone, Sighting
from drivers.scsi import flow
from drivers.scsi.job import Identity
from drivers.usb.link import Link, enumerate_devices
from drivers.usb.scanner import UsbScanner, seen, until_tick_s
from drivers.usb.uevents import Uevents

log = logging.getLogger(__name__)

_POLL_S = 2.0  # hints do not arrive in every container; listing costs about a millisecond
_VENDOR_SPECIFIC = 0xFF

Place: TypeAlias = tuple[int, int]
"""Bus and address: where a unit is plugged in, never who it is."""


class UsbFinder:
    """The door of the USB family.

    `backend` is a pyusb backend (None: the system's libusb 1.0, else the bundled one); `now` an aware UTC clock;
    `also`: vendor and product ids outside the table that the administrator wants tried.
    """

    def __init__(
        self,
        backend: Any | None,
        now: Callable[[], datetime],
        poll_s: float = _POLL_S,
        also: frozenset[tuple[int, int]] = frozenset(),
    ) -> None:
        self._backend = backend
        self._now = now
        self._poll_s = poll_s
        self._also = also
        self._identified: dict[Place, Sighting] = {}
        self._open: set[Place] = set()
        self._opening = asyncio.Lock()
        self._complaints: dict[Place | None, str] = {}

    async def sightings(self) -> AsyncGenerator[Sighting | Gone]:
        """Yield each unit when it appears and when it goes; one that cannot be asked now is asked again later.

        What cannot be driven, or not now, is yielded with the sentence that says why.
        """
        seen: dict[Place, Sighting] = {}
        with Uevents() as news:
            while True:
                devices = await self._listed()
                if devices is not None:
                    for place in [place for place in seen if place not in devices]:
                        yield Gone(seen.pop(place).id)
                    self._forget_all_but(devices)
                    for place, device in devices.items():
                        before = seen.get(place)
                        sighting = await self._sight(place, device)
                        if before is not None and sighting.id != before.id:
                            yield Gone(before.id)
                        if before is None or (sighting.id, sighting.driven) != (before.id, before.driven):
                            seen[place] = sighting
                            yield sighting
                await news.wait(until_tick_s(self._poll_s))

    async def open(self, sighting_id: str, *, password: str = "") -> UsbScanner:
        """Open a unit and make sure that it is the one; Unreachable, Busy or Refused otherwise. USB has no password."""
        place = next((place for place, known in self._identified.items() if known.id == sighting_id), None)
        device = (await self._listed() or {}).get(place) if place is not None else None
        if place is None or device is None:
            raise Unreachable("The scanner is not there: switch it on, open its lid, check its cable")
        async with self._opening:
            if place in self._open:
                raise Busy("The scanner is open already")
            link = await Link.connect(device)
            try:
                identity = await _identity(link)
                model = self._model(device, identity)
                if _sighting_id(model, identity) != sighting_id:
                    del self._identified[place]
                    raise Refused("Another scanner is plugged in where this one was")
                await link.run(flow.recover(model))
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
        """Return the attached units by place; None if USB could not be listed."""
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
        return enumerate_devices(self._backend, _is_ours)

    async def _sight(self, place: Place, device: Any) -> Sighting:
        """Open a unit for its identity only. One that told it already is not disturbed."""
        if place in self._identified:
            return self._identified[place]
        excuse = self._excuse(device)
        if excuse:
            return self._nameless(place, device, excuse)
        async with self._opening:
            try:
                identity = await _asked(device)
            except DriverError as error:
                self._complain(place, str(error))
                return self._nameless(place, device, str(error))
        self._complaints.pop(place, None)
        model = self._model(device, identity)
        sighting = Sighting(
            id=_sighting_id(model, identity),
            model=model.name,
            via="usb",
            address=_address(place),
            fingerprint=f"{identity.inquiry.product}/{identity.serial}",
            seen_at=self._now(),
            has_button=model.has_button,
        )
        self._identified[place] = sighting
        return sighting

    def _excuse(self, device: Any) -> str:
        """Return why a device must not be sent a byte, or ""."""
        ids = int(device.idVendor), int(device.idProduct)
        row = lookup(*ids)
        if row is None and ids not in self._also:
            return (
                f"Unknown model {_hex(ids)}. It may speak the same language as others: to have it tried, add "
                f'"{_hex(ids)}" to usb.also in the settings'
            )
        if row is not None and row.family is not Family.FUJITSU:
            return f"The {row.name} needs firmware from its maker's driver and is not driven yet; SANE's epjitsu can"
        return ""

    def _nameless(self, place: Place, device: Any, why: str) -> Sighting:
        """Return the sighting of a device that did not tell its serial number."""
        ids = int(device.idVendor), int(device.idProduct)
        row = lookup(*ids)
        name = row.name if row else _hex(ids)
        return Sighting(
            id=f"usb:{name}@{place[0]}-{place[1]}",
            model=name,
            via="usb",
            address=_address(place),
            fingerprint="",
            seen_at=self._now(),
            driven=why,
        )

    def _model(self, device: Any, identity: Identity) -> Model:
        ids = int(device.idVendor), int(device.idProduct)
        return lookup(*ids) or unknown(*ids, identity.inquiry.product.removeprefix("ScanSnap "))

    def _forget_all_but(self, devices: dict[Place, Any]) -> None:
        for place in [place for place in self._identified if place not in devices]:
            del self._identified[place]
        for place in [place for place in self._complaints if place is not None and place not in devices]:
            del self._complaints[place]

    def _complain(self, place: Place | None, text: str) -> None:
        """Log a failure once; the next polls try again quietly."""
        if self._complaints.get(place) != text:
            self._complaints[place] = text
            log.warning("%s: %s", _address(place) if place else "usb", text)


def _address(place: Place) -> str:
    return f"usb {place[0]}-{place[1]}"


def _hex(ids: tuple[int, int]) -> str:
    return f"{ids[0]:04x}:{ids[1]:04x}"


def _is_ours(device: Any) -> bool:
    """Tell whether a device is in the table, or could be: its maker's, and shaped like those (models.md 3)."""
    if lookup(int(device.idVendor), int(device.idProduct)) is not None:
        return True
    return int(device.idVendor) in (FUJITSU_VENDOR, RICOH_VENDOR) and _has_the_shape(device)


def _has_the_shape(device: Any) -> bool:
    """Read the descriptors: vendor-specific, one interface, a pair of bulk endpoints and nothing else."""
    try:
        if device.bDeviceClass != _VENDOR_SPECIFIC or device.bNumConfigurations != 1:
            return False
        [interface] = device[0]
    except (usb.core.USBError, IndexError, ValueError, NotImplementedError):
        return False
    bulk = usb.util.ENDPOINT_TYPE_BULK
    ways = sorted(int(endpoint.bEndpointAddress) & usb.util.ENDPOINT_IN for endpoint in interface)
    kinds = {usb.util.endpoint_type(endpoint.bmAttributes) for endpoint in interface}
    return (
        interface.bInterfaceClass == _VENDOR_SPECIFIC
        and ways == [usb.util.ENDPOINT_OUT, usb.util.ENDPOINT_IN]
        and kinds == {bulk}
    )


def _sighting_id(model: Model, identity: Identity) -> str:
    return f"usb:{model.name}:{identity.serial}"


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
