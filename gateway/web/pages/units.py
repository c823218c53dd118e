"""Adding a scanner, and looking after one."""

from aiohttp import web

from gateway.core.model import UnitId
from gateway.web import context, problems, render, texts
from gateway.web.origins import posted
from gateway.web.pages import shown
from gateway.work.catalogue import NOT_FOUND
from gateway.work.outcomes import Denied


async def list_found(request: web.Request) -> web.Response:
    """Show the scanners in sight."""
    return render.page(request, "add.html", **await shown.found(request))


async def open_claim(request: web.Request) -> web.Response:
    """Open a claim on one of them."""
    account = context.visitor(request).account.id
    claim = context.services(request).watch.claim(account, (await posted(request)).get("sighting", ""))
    if isinstance(claim, Denied):
        values = await shown.found(request)
        return render.page(request, "add.html", status=claim.status, error=claim.detail, **values)
    return context.see(f"/claims/{claim.id}")


async def show_claim(request: web.Request) -> web.Response:
    """Ask for the press, count down, say how it ended."""
    values = await shown.claim(request)
    return render.page(request, "claim.html", **values) if values else problems.render_for(request, NOT_FOUND)


async def show_unit(request: web.Request) -> web.Response:
    """Show one unit with what its owner can do."""
    return await _unit(request)


async def _unit(request: web.Request, denied: Denied | None = None) -> web.Response:
    rows = await context.services(request).catalogue.units(context.visitor(request).account.id)
    row = next((r for r in rows if r.unit.id == request.match_info["id"]), None)
    if row is None:
        return problems.render_for(request, NOT_FOUND)
    status, error = (denied.status, denied.detail) if denied else (200, "")
    return render.page(request, "unit.html", status=status, error=error, row=row, states=texts.UNIT_STATES)


async def rename(request: web.Request) -> web.Response:
    """Give a unit another name."""
    account, unit_id = context.visitor(request).account.id, UnitId(request.match_info["id"])
    label = (await posted(request)).get("label", "")
    catalogue = context.services(request).catalogue
    renamed = await catalogue.rename_unit(account, unit_id, label, peer=context.peer(request))
    if isinstance(renamed, Denied):
        return await _unit(request, renamed)
    return context.see(f"/units/{unit_id}?done=renamed")


async def remove(request: web.Request) -> web.Response:
    """Unregister a unit."""
    account, unit_id = context.visitor(request).account.id, UnitId(request.match_info["id"])
    denied = await context.services(request).catalogue.remove_unit(account, unit_id, peer=context.peer(request))
    return await _unit(request, denied) if denied else context.see("/?done=unit_removed")


async def scan(request: web.Request) -> web.Response:
    """Scan now."""
    account, unit_id = context.visitor(request).account.id, UnitId(request.match_info["id"])
    denied = await context.services(request).watch.scan_now(account, unit_id)
    return problems.render_for(request, denied) if denied else context.see("/?done=scan")
