"""The account's scans and what became of them."""

from datetime import UTC, datetime

from aiohttp import web

from gateway.core.model import DeliveryId, ScanId
from gateway.web import context, problems
from gateway.web.api import answers
from gateway.web.api.bodies import done, reply
from gateway.work.outcomes import NOT_FOUND, Denied

DEFAULT_LIMIT, LONGEST = 50, 200


async def list_scans(request: web.Request) -> web.Response:
    """List scans, newest first."""
    account = context.visitor(request).account.id
    rows = await context.services(request).catalogue.scans(account, limit=_limit(request), before=_before(request))
    return reply(answers.ScanList([answers.scan(row) for row in rows]))


def _limit(request: web.Request) -> int:
    text = request.query.get("limit", str(DEFAULT_LIMIT))
    if not (text.isascii() and text.isdigit() and len(text) < 5 and 1 <= int(text) <= LONGEST):
        raise problems.ProblemError(Denied("invalid", f"limit is a number from 1 to {LONGEST}.", 422))
    return int(text)


def _before(request: web.Request) -> datetime | None:
    text = request.query.get("before")
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text.replace(" ", "+"))  # an unquoted "+" of the offset arrives as a space
        if at.tzinfo is not None:
            return at.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise problems.ProblemError(Denied("invalid", "before is a time with offset (ISO 8601).", 422))


async def get_scan(request: web.Request) -> web.Response:
    """Return one scan."""
    account = context.visitor(request).account.id
    row = await context.services(request).catalogue.scan(account, ScanId(request.match_info["id"]))
    return reply(answers.scan(row)) if row else problems.response(NOT_FOUND)


async def finish(request: web.Request) -> web.Response:
    """Finish a paused scan with the pages it has."""
    account, scan_id = context.visitor(request).account.id, ScanId(request.match_info["id"])
    denied = await context.services(request).catalogue.finish_scan(account, scan_id)
    return problems.response(denied) if denied else done()


async def retry(request: web.Request) -> web.Response:
    """Try a failed delivery again."""
    account, delivery_id = context.visitor(request).account.id, DeliveryId(request.match_info["id"])
    denied = await context.services(request).catalogue.retry(account, delivery_id)
    return problems.response(denied) if denied else done()
