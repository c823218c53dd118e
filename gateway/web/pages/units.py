"""Adding a scanner, and looking after one."""

import msgspec
from aiohttp import web

from drivers.port import Capabilities, Colour
from gateway.core.model import UnitId, UnitSettings
from gateway.web import context, problems, render, texts
from gateway.web.api.settings import ScanSettings
from gateway.web.origins import posted
from gateway.web.pages import shown
from gateway.work.catalogue import NOT_FOUND
from gateway.work.outcomes import Denied, sentence

# What is offered for a unit that was never open: what all of them can.
_UNKNOWN = Capabilities((150, 200, 300, 600), tuple(Colour), True, 0, 0, True)


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
    values = {"row": row, "states": texts.UNIT_STATES, "choices": texts.SCAN_CHOICES, "able": row.able or _UNKNOWN}
    return render.page(request, "unit.html", status=status, error=error, **values)


_CHOICES = ("resolution_dpi", "colour", "jpeg_quality", "paper", "brightness", "contrast")
_SWITCHES = ("duplex", "overscan", "double_feed", "on_paper")


async def configure(request: web.Request) -> web.Response:
    """Set how a unit scans; a switch that the form shows and does not send is off."""
    account, unit_id = context.visitor(request).account.id, UnitId(request.match_info["id"])
    form = await posted(request)
    given: dict[str, object] = {name: form[name] for name in _CHOICES if name in form}
    given |= {name: form.get(name) == "on" for name in _SWITCHES if f"shows_{name}" in form}
    try:
        body = msgspec.convert(given, ScanSettings, strict=False)
    except msgspec.ValidationError as error:
        return await _unit(request, Denied("unusable", sentence(error), 422))
    settings = UnitSettings(**msgspec.structs.asdict(body))
    configured = await context.services(request).catalogue.configure_unit(account, unit_id, settings)
    return (
        await _unit(request, configured)
        if isinstance(configured, Denied)
        else context.see(f"/units/{unit_id}?done=configured")
    )


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
