"""What the templates are given: the rooms' answers for one account, turned into words where a word is needed."""

from dataclasses import dataclass
from typing import Any

from aiohttp import web

from gateway.core.model import DeliveryState, ScanId, ScanState, TwoFactor
from gateway.core.notice import Kind
from gateway.web import context, texts
from gateway.web.api import queries
from gateway.work.catalogue import ScanView
from gateway.work.notices import TITLES
from gateway.work.outcomes import Denied

D = DeliveryState
# The first row that any delivery matches names the scan's outcome: what needs the owner comes first.
_OUTCOMES: tuple[tuple[frozenset[DeliveryState], str], ...] = (
    (frozenset({D.FAILED}), "failed"),
    (frozenset({D.QUARANTINED}), "damaged"),
    (frozenset({D.UNCERTAIN}), "uncertain"),
    (frozenset({D.WAITING, D.SENDING, D.COMMITTING}), "sending"),
    (frozenset({D.DELIVERED}), "delivered"),
    (frozenset({D.DISCARDED}), "discarded"),
)

_IN_THE_BANNER = (Kind.HELD, Kind.TWO_FACTOR_OFF, Kind.NOT_ACTIVE, Kind.OPEN_THE_PAGE_ONCE)
SCAN_ROWS = 50  # of scans at once, as programs get them

_WORDS = {"outcomes": texts.SCAN_OUTCOMES, "delivery_states": texts.DELIVERY_STATES, "checks": texts.CHECKS}


@dataclass(frozen=True, slots=True)
class ScanShown:
    """A scan with its outcome, a key of texts.SCAN_OUTCOMES, and the word for it."""

    view: ScanView
    outcome: str
    word: str


def outcome(view: ScanView) -> str:
    """Return the one word for a scan."""
    if view.scan.state in (ScanState.RECEIVING, ScanState.PAUSED):
        return view.scan.state.value
    if view.held:
        return "held"
    if view.scan.state is ScanState.ERASED:
        return "erased"
    states = {d.delivery.state for d in view.deliveries}
    return next((word for some, word in _OUTCOMES if states & some), "sending")


def _row(view: ScanView) -> ScanShown:
    one = outcome(view)
    asks = one == "uncertain" and any(d.left_to_owner for d in view.deliveries)
    return ScanShown(view, one, texts.text("delivery.undecided") if asks else texts.SCAN_OUTCOMES[one])


async def units(request: web.Request) -> dict[str, Any]:
    """Return what the list of units shows."""
    units, account = context.services(request).units, context.visitor(request).account.id
    return {"units": await units.of(account), "newcomers": await units.newcomers(), "states": texts.UNIT_STATES}


async def scans(request: web.Request) -> dict[str, Any]:
    """Return what the list of scans shows: the newest, or those behind the mark `before`, and the mark for more."""
    rooms, visitor = context.services(request), context.visitor(request)
    before = queries.before(request)
    at, tie = (before.at, before.tie) if before else (None, "")
    found = await rooms.catalogue.scans(visitor.account.id, limit=SCAN_ROWS + 1, before=at, tie=tie)
    views, last = queries.page(found, SCAN_ROWS)
    return await room(request) | {
        "scans": [_row(view) for view in views],
        "before": str(before or ""),
        "older": str(queries.Mark(last.scan.started_at, last.scan.id)) if last else "",
        "opens": rooms.reading.opens(visitor.session),
        **_WORDS,
    }


async def scan(request: web.Request) -> dict[str, Any] | None:
    """Return what one scan's page shows; None if this account has no such scan."""
    rooms, visitor = context.services(request), context.visitor(request)
    scan_id = ScanId(request.match_info["id"])
    view = await rooms.catalogue.scan(visitor.account.id, scan_id)
    pages = await rooms.reading.pages(visitor.account.id, scan_id)
    if view is None or isinstance(pages, Denied):
        return None
    return {
        "row": _row(view),
        "destinations": await rooms.catalogue.destinations(visitor.account.id),
        "pages": pages,
        "opens": rooms.reading.opens(visitor.session),
        "sides": texts.SIDES,
        **_WORDS,
    }


async def notices(request: web.Request) -> dict[str, Any]:
    """Return what the account is told, but for what the banner says already; `lasting`: something is amiss now."""
    room, account = context.services(request).notices, context.visitor(request).account.id
    rows = [row for row in await room.of(account) if row.kind not in _IN_THE_BANNER]
    return {
        "notices": [(row, await room.scan(row)) for row in rows],
        "titles": TITLES,
        "lasting": any(row.kind is not Kind.SECURITY for row in rows),
    }


async def room(request: web.Request) -> dict[str, Any]:
    """Return how much room is left for scans."""
    left = await context.services(request).room.left(context.visitor(request).account.id)
    gigabytes = left.bytes / 1e9
    words = f"{gigabytes:,.1f} GB" if gigabytes >= 1 else f"{left.bytes // 10**6} MB"
    return {"room": left, "room_words": words}


async def forwarding(request: web.Request) -> dict[str, Any]:
    """Return what the banner shows: whether the gate is open, what is held, and what would help."""
    catalogue, account = context.services(request).catalogue, context.visitor(request).account
    state = await catalogue.forwarding(account.id)
    held = await catalogue.held_count(account.id)
    remedy = ""
    if not state.open:
        remedy = "enable" if _off(account.two_factor) else "sign_in"
    elif held and not await catalogue.destinations(account.id):
        remedy = "destination"
    return {"forwarding": state, "held": held, "remedy": remedy}


def _off(two_factor: TwoFactor) -> bool:
    return two_factor in (TwoFactor.OFF, TwoFactor.PENDING)


async def account(request: web.Request) -> dict[str, Any]:
    """Return what [Account setting] shows."""
    person = context.visitor(request).account
    return {
        "availability": await context.services(request).enroll.availability(person),
        "two_factor_on": not _off(person.two_factor),
        "email": person.email,
    }


async def found(request: web.Request) -> dict[str, Any]:
    """Return what the list of scanners in sight shows."""
    account = context.visitor(request).account.id
    return {
        "found": await context.services(request).sights.listing(),
        "account": account,
        "mine": [row.unit for row in await context.services(request).units.of(account)],
        "vias": texts.VIAS,
    }


async def claim(request: web.Request) -> dict[str, Any] | None:
    """Return what a claim's page shows; None if this account has no such claim."""
    rooms = context.services(request)
    row = rooms.claims.get(context.visitor(request).account.id, request.match_info["id"])
    if row is None:
        return None
    left_s = max(0, round((row.ends_at - rooms.clock.now().utc).total_seconds()))
    return {"claim": row, "left_s": left_s, "way": rooms.sights.way(row.sighting)}
