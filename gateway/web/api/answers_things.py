"""What programs get about units, destinations and scans, and how it is made from the rooms' records. No secrets."""

from dataclasses import asdict

import msgspec
from msgspec import Struct

from gateway.core.model import Destination, PageFile, Receipt
from gateway.web.api.bodies import Time
from gateway.web.api.settings import Abilities, ScanSettings
from gateway.work.catalogue import ScanView
from gateway.work.claim import Claim
from gateway.work.sights import Found
from gateway.work.standing import DeliveryView
from gateway.work.units import UnitView, WayView


class FoundAnswer(Struct):
    """A unit in sight. `can_scan`: if not, `note` says why; `asks_password`: it did not take the one it was given."""

    id: str
    model: str
    via: str
    address: str
    state: str
    owned: bool
    yours: bool
    note: str
    serial: str
    can_scan: bool
    default_password: str
    asks_password: bool


class ClaimAnswer(Struct):
    """A claim: press the unit's Scan button before `ends_at`. `why` says why it lapsed, or what else to do."""

    id: str
    state: str
    ends_at: Time
    unit: str | None
    why: str


class WayAnswer(Struct):
    """One way to a unit. `expected`: the fingerprint it must show; `shown`: what it shows now."""

    id: str
    via: str
    address: str
    state: str
    note: str
    in_use: bool
    expected: str
    shown: str
    takes_password: bool
    password_set: bool
    asks_password: bool


class UnitAnswer(Struct):
    """A registered unit. `able` is null before it was open for the first time."""

    id: str
    label: str
    model: str
    since: Time
    state: str
    note: str
    settings: ScanSettings
    able: Abilities | None
    ways: list[WayAnswer]
    lent_until: Time | None


class DestinationAnswer(Struct):
    """A destination, without its secrets."""

    id: str
    kind: str
    label: str
    config: dict[str, str]
    created_at: Time


class ReceiptAnswer(Struct):
    """What the destination proved."""

    location: str
    remote_id: str
    byte_count: int
    sha256: str
    pages: int
    seconds: float
    at: Time


class DeliveryAnswer(Struct):
    """One scan on its way to one destination."""

    id: str
    destination: str
    destination_label: str
    state: str
    held: bool
    reason: str
    attempts: int
    name: str
    receipt: ReceiptAnswer | None


class ScanAnswer(Struct):
    """A scan and where it is. `held`: it waits for the owner; `reason` says for what."""

    id: str
    state: str
    pages: int
    unit: str
    unit_label: str
    started_at: Time
    held: bool
    reason: str
    deliveries: list[DeliveryAnswer]


class PageAnswer(Struct):
    """One side of a sheet that was kept; its place in the list, from 1, is its page in the document."""

    sheet: int
    side: str
    media_type: str
    width_px: int
    height_px: int
    resolution_dpi: int
    byte_count: int


class PageList(Struct):
    """A scan's pages. `opens`: this session may open them."""

    items: list[PageAnswer]
    opens: bool


class FoundList(Struct):
    """Units in sight."""

    items: list[FoundAnswer]


class NewcomerAnswer(Struct):
    """A unit of this gateway that became somebody's within a day."""

    model: str
    owner: str
    since: Time


class UnitList(Struct):
    """The account's units; `newcomers`: who registered one lately, whoever it is."""

    items: list[UnitAnswer]
    newcomers: list[NewcomerAnswer]


class DestinationList(Struct):
    """The account's destinations."""

    items: list[DestinationAnswer]


class ScanList(Struct):
    """The account's scans, newest first. `next`: ask with `before` = this for more; null at the end."""

    items: list[ScanAnswer]
    next: str | None


def page(row: PageFile) -> PageAnswer:
    """Return what is known of a page."""
    size = (row.width_px, row.height_px, row.resolution_dpi, row.byte_count)
    return PageAnswer(row.number, row.side, row.media_type, *size)


def found(row: Found, account: str) -> FoundAnswer:
    """Return a unit in sight; whose it is, is told to its owner only."""
    return FoundAnswer(
        id=row.sighting_id,
        model=row.model,
        via=row.via,
        address=row.address,
        state=row.state,
        owned=row.owner is not None,
        yours=row.owner == account,
        note=row.note,
        serial=row.serial,
        can_scan=row.can_scan,
        default_password=row.default_password,
        asks_password=row.asks_password,
    )


def claim(row: Claim) -> ClaimAnswer:
    """Return a claim."""
    return ClaimAnswer(row.id, row.state, row.ends_at, row.unit, row.why)


def unit(row: UnitView) -> UnitAnswer:
    """Return a registered unit."""
    it, able = row.unit, row.able
    settings = ScanSettings(**asdict(it.settings))
    abilities = msgspec.convert(asdict(able), Abilities) if able else None
    return UnitAnswer(
        id=it.id,
        label=it.label,
        model=it.model,
        since=it.since,
        state=row.state,
        note=row.note,
        settings=settings,
        able=abilities,
        ways=[_way(way) for way in row.ways],
        lent_until=row.lent_until,
    )


def _way(row: WayView) -> WayAnswer:
    told = asdict(row)
    return WayAnswer(id=told.pop("sighting"), **told)


def destination(row: Destination) -> DestinationAnswer:
    """Return a destination."""
    return DestinationAnswer(row.id, row.kind, row.label, row.config, row.created_at)


def _receipt(row: Receipt) -> ReceiptAnswer:
    return ReceiptAnswer(row.location, row.remote_id, row.byte_count, row.sha256, row.pages, row.seconds, row.at)


def _delivery(row: DeliveryView) -> DeliveryAnswer:
    it = row.delivery
    return DeliveryAnswer(
        id=it.id,
        destination=it.destination,
        destination_label=row.destination_label,
        state=it.state,
        held=row.held,
        reason=it.reason,
        attempts=it.attempts,
        name=it.name,
        receipt=_receipt(it.receipt) if it.receipt else None,
    )


def scan(row: ScanView) -> ScanAnswer:
    """Return a scan with its deliveries."""
    it = row.scan
    return ScanAnswer(
        id=it.id,
        state=it.state,
        pages=it.page_count,
        unit=it.unit,
        unit_label=it.unit_label,
        started_at=it.started_at,
        held=row.held,
        reason=row.reason,
        deliveries=[_delivery(d) for d in row.deliveries],
    )
