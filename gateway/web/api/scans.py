"""The account's scans and what became of them."""

from aiohttp import web

from gateway.core.model import ScanId
from gateway.web import context, problems
from gateway.web.api import answers_things as answers
from gateway.web.api import queries
from gateway.web.api.bodies import done, reply
from gateway.work.outcomes import NOT_FOUND, Denied


async def list_scans(request: web.Request) -> web.Response:
    """List scans, newest first."""
    account = context.visitor(request).account.id
    limit, before = queries.limit(request), queries.before(request)
    at, tie = (before.at, before.tie) if before else (None, "")
    found = await context.services(request).catalogue.scans(account, limit=limit + 1, before=at, tie=tie)
    rows, last = queries.page(found, limit)
    following = str(queries.Mark(last.scan.started_at, last.scan.id)) if last else None
    return reply(answers.ScanList([answers.scan(row) for row in rows], following))


async def get_scan(request: web.Request) -> web.Response:
    """Return one scan."""
    account = context.visitor(request).account.id
    row = await context.services(request).catalogue.scan(account, ScanId(request.match_info["id"]))
    return reply(answers.scan(row)) if row else problems.response(NOT_FOUND)


async def list_pages(request: web.Request) -> web.Response:
    """List a scan's pages in the order of its document, and tell whether this session may open them."""
    rooms, visitor = context.services(request), context.visitor(request)
    rows = await rooms.reading.pages(visitor.account.id, ScanId(request.match_info["id"]))
    if isinstance(rows, Denied):
        return problems.response(rows)
    return reply(answers.PageList([answers.page(row) for row in rows], rooms.reading.opens(visitor.session)))


async def delete(request: web.Request) -> web.Response:
    """Delete a scan with its pages, delivered or not; what destinations have stays there."""
    account, scan_id = context.visitor(request).account.id, ScanId(request.match_info["id"])
    denied = await context.services(request).reading.delete(account, scan_id, peer=context.peer(request))
    return problems.response(denied) if denied else done()


async def finish(request: web.Request) -> web.Response:
    """Finish a paused scan with the pages it has."""
    account, scan_id = context.visitor(request).account.id, ScanId(request.match_info["id"])
    denied = await context.services(request).catalogue.finish_scan(account, scan_id)
    return problems.response(denied) if denied else done()
