"""One scan: its pages, where it went, and deleting it."""

from aiohttp import web

from gateway.core.model import ScanId
from gateway.web import context, problems, render
from gateway.web.pages import shown
from gateway.work.outcomes import NOT_FOUND


async def show(request: web.Request) -> web.Response:
    """Show one scan."""
    values = await shown.scan(request)
    return render.page(request, "scan.html", **values) if values else problems.render_for(request, NOT_FOUND)


async def ask_delete(request: web.Request) -> web.Response:
    """Ask whether a scan is to be deleted, and say what is lost with it."""
    values = await shown.scan(request)
    return render.page(request, "scan_delete.html", **values) if values else problems.render_for(request, NOT_FOUND)


async def delete(request: web.Request) -> web.Response:
    """Delete a scan."""
    account, scan_id = context.visitor(request).account.id, ScanId(request.match_info["id"])
    denied = await context.services(request).reading.delete(account, scan_id, peer=context.peer(request))
    return problems.render_for(request, denied) if denied else context.see("/?done=scan_deleted")
