"""What programs get, and how it is made from the rooms' records. Secrets have no field here."""

from dataclasses import asdict
from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from gateway.core.model import Destination, PageFile, Receipt, Session
from gateway.store.audit import AuditRow
from gateway.store.devices import Device
from gateway.web.api.settings import Abilities, ScanSettings
from gateway.work.catalogue import DeliveryView, ScanView
from gateway.work.claim import Claim
from gateway.work.outcomes import Grant, Paper
from gateway.work.sights import Found
from gateway.work.units import UnitView, WayView

Time = Annotated[datetime, Meta(tz=True)]


class Status(Struct):
    """The gateway itself."""

    version: str
    time: Time


class PaperAnswer(Struct):
    """A new rescue key, and new sign-in codes if there are; shown once."""

    rescue_key: str
    codes: list[str]


class SessionAnswer(Struct):
    """How far the sign-in has come. `token` is the bearer token; it is told once.

    `device`: to be sent as ScanSnap-Device with later sign-ins, so that strangers' misses are not counted against this
    client; empty while the sign-in is not complete. `paper`: what came into being with this step.
    """

    level: str
    token: str
    forwards_until: Time | None
    device: str
    paper: PaperAnswer | None


class SessionState(Struct):
    """The session of this request; level L0 without one."""

    level: str
    email: str | None
    locked: bool
    forwards_until: Time | None


class AccountAnswer(Struct):
    """The account. `why` says why two-factor authentication cannot be enabled (or, once on, disabled) now."""

    email: str
    two_factor: str
    two_factor_available: bool
    why: str
    held: int
    forwarding: bool
    forwards_until: Time | None
    rescue_key_kept: bool
    sign_in_codes_left: int
    deletes_at: Time | None
    banner: str


class SessionRow(Struct):
    """A live session. `yours`: the one that asks."""

    id: str
    level: str
    began_at: Time
    peer: str
    client: str
    forwards_until: Time | None
    yours: bool


class DeviceAnswer(Struct):
    """A known device."""

    id: str
    client: str
    peer: str
    first_at: Time
    last_at: Time


class AuditLine(Struct):
    """One row of the audit, as its account may see it."""

    seq: int
    at: Time
    action: str
    factor: str
    outcome: str
    reason: str
    peer: str


class EnrolmentAnswer(Struct):
    """What the authenticator needs; shown once."""

    secret: str
    uri: str
    qr_svg: str


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


class SessionList(Struct):
    """The account's live sessions, the newest first."""

    items: list[SessionRow]


class DeviceList(Struct):
    """The account's known devices, the one seen last first."""

    items: list[DeviceAnswer]


class AuditList(Struct):
    """What happened to the account, newest first. `next`: ask with `before` = this for more; null at the end."""

    items: list[AuditLine]
    next: int | None


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


def session(grant: Grant) -> SessionAnswer:
    """Return a granted session for its holder."""
    until = grant.session.forwards_until
    return SessionAnswer(
        grant.session.level,
        grant.token,
        until.utc if until else None,
        grant.device,
        paper(grant.paper) if grant.paper else None,
    )


def paper(row: Paper) -> PaperAnswer:
    """Return new paper."""
    return PaperAnswer(row.rescue_key, list(row.codes))


def session_row(row: Session, yours: str) -> SessionRow:
    """Return a live session for its owner."""
    until = row.forwards_until
    return SessionRow(
        row.id, row.level, row.password_at, row.peer, row.client, until.utc if until else None, row.id == yours
    )


def device(row: Device) -> DeviceAnswer:
    """Return a known device."""
    return DeviceAnswer(row.id, row.client, row.peer, row.first_at, row.last_at)


def audit_line(row: AuditRow) -> AuditLine:
    """Return one row of the audit."""
    it = row.entry
    return AuditLine(row.seq, it.at, it.action, it.factor, it.outcome, it.reason, it.peer)


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
