"""What programs get about accounts and sessions, and how it is made from the rooms' records. Secrets come once."""

from msgspec import Struct

from gateway.core.model import Session
from gateway.store.audit import AuditRow
from gateway.store.devices import Device
from gateway.web.api.bodies import Time
from gateway.work.outcomes import Grant, Paper


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
