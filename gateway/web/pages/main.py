"""The main screen and the screens of the navigation menu."""

from aiohttp import web

from gateway.core.model import ScanId
from gateway.web import context, problems, render
from gateway.web.pages import shown


async def show(request: web.Request) -> web.Response:
    """Show forwarding, units and scans."""
    told = await shown.forwarding(request) | await shown.notices(request)
    return render.page(request, "main.html", **told, **await shown.units(request), **await shown.scans(request))


async def settings(request: web.Request) -> web.Response:
    """Show [Settings]."""
    return render.page(request, "settings.html")


async def account(request: web.Request) -> web.Response:
    """Show [Account], which leads to the account management page."""
    return render.page(request, "account.html", **await shown.account(request))


async def finish_scan(request: web.Request) -> web.Response:
    """Finish a paused scan as it is."""
    scan_id, account_id = ScanId(request.match_info["id"]), context.visitor(request).account.id
    denied = await context.services(request).catalogue.finish_scan(account_id, scan_id)
    return problems.render_for(request, denied) if denied else context.see("/?done=finished")
