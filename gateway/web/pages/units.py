"""Adding a scanner, and looking after one."""

from typing import Any

import msgspec
from aiohttp import web

from drivers.port import Capabilities, Colour
from gateway.core.model import AccountId, UnitId, UnitSettings
from gateway.web import context, problems, render, texts
from gateway.web.api.settings import ScanSettings
from gateway.web.origins import posted
from gateway.web.pages import shown
from gateway.work.outcomes import NOT_FOUND, Denied, sentence

# What is offered for a unit that was never open: what all of them can.
_UNKNOWN = Capabilities((150, 200, 300, 600), tuple(Colour), True, 0, 0, True)


async def list_found(request: web.Request) -> web.Response:
    """Show the scanners in sight."""
    return render.page(request, "add.html", **await shown.found(request))


async def open_claim(request: web.Request) -> web.Response:
    """Open a claim on one of them."""
    account, units, form = context.visitor(request).account.id, context.services(request).units, await posted(request)
    unit = UnitId(form["unit"]) if form.get("unit") else None
    claim = await units.claim(account, form.get("sighting", ""), password=form.get("password", ""), join=unit)
    if isinstance(claim, Denied):
        values = await shown.found(request)
        return render.page(request, "add.html", denied=claim, **values)
    return context.see(f"/claims/{claim.id}")


async def show_claim(request: web.Request) -> web.Response:
    """Ask for the press, count down, say how it ended."""
    values = await shown.claim(request)
    return render.page(request, "claim.html", **values) if values else problems.render_for(request, NOT_FOUND)


async def show_unit(request: web.Request) -> web.Response:
    """Show one unit with what its owner can do."""
    return await _unit(request)


async def _unit(request: web.Request, denied: Denied | None = None) -> web.Response:
    rows = await context.services(request).units.of(context.visitor(request).account.id)
    row = next((r for r in rows if r.unit.id == request.match_info["id"]), None)
    if row is None:
        return problems.render_for(request, NOT_FOUND)
    in_sight = await context.services(request).sights.listing()
    values: dict[str, Any] = {
        "row": row,
        "states": texts.UNIT_STATES,
        "choices": texts.SCAN_CHOICES,
        "able": row.able or _UNKNOWN,
        "others": [found for found in in_sight if found.owner is None and found.can_scan],
        "vias": texts.VIAS,
    }
    return render.page(request, "unit.html", denied=denied, **values)


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
    configured = await context.services(request).units.configure(account, unit_id, settings)
    return (
        await _unit(request, configured)
        if isinstance(configured, Denied)
        else context.see(f"/units/{unit_id}?done=configured")
    )


async def rename(request: web.Request) -> web.Response:
    """Give a unit another name."""
    account, unit_id = context.visitor(request).account.id, UnitId(request.match_info["id"])
    label = (await posted(request)).get("label", "")
    units = context.services(request).units
    renamed = await units.rename(account, unit_id, label, peer=context.peer(request))
    if isinstance(renamed, Denied):
        return await _unit(request, renamed)
    return context.see(f"/units/{unit_id}?done=renamed")


async def remove(request: web.Request) -> web.Response:
    """Unregister a unit."""
    account, unit_id = context.visitor(request).account.id, UnitId(request.match_info["id"])
    denied = await context.services(request).units.remove(account, unit_id, peer=context.peer(request))
    return await _unit(request, denied) if denied else context.see("/?done=unit_removed")


async def scan(request: web.Request) -> web.Response:
    """Scan now."""
    account, unit_id = context.visitor(request).account.id, UnitId(request.match_info["id"])
    denied = await context.services(request).watch.scan_now(account, unit_id)
    return problems.render_for(request, denied) if denied else context.see("/?done=scan")


async def lend(request: web.Request) -> web.Response:
    """Let another app have the unit for 10 minutes."""
    return await _said(request, await _lent(request, lent=True), "?done=lent")


async def take_back(request: web.Request) -> web.Response:
    """Take the unit back."""
    return await _said(request, await _lent(request, lent=False), "?done=taken_back")


async def _lent(request: web.Request, *, lent: bool) -> Denied | None:
    account = context.visitor(request).account.id
    return await context.services(request).units.lend(account, UnitId(request.match_info["id"]), lent=lent)


async def set_password(request: web.Request) -> web.Response:
    """Set the password that a way to the unit asks for."""
    account, unit_id, form = *_whose(request), await posted(request)
    units, peer = context.services(request).units, context.peer(request)
    way, password = form.get("way", ""), form.get("password", "")
    denied = await units.set_password(account, unit_id, way, password, peer=peer)
    return await _said(request, denied, "?done=password_set")


async def trust(request: web.Request) -> web.Response:
    """Take up a suspended way again."""
    account, unit_id, form = *_whose(request), await posted(request)
    units, peer = context.services(request).units, context.peer(request)
    denied = await units.trust(account, unit_id, form.get("way", ""), form.get("shown", ""), peer=peer)
    return await _said(request, denied, "?done=trusted")


async def part(request: web.Request) -> web.Response:
    """Take a way from the unit."""
    account, unit_id, form = *_whose(request), await posted(request)
    units, peer = context.services(request).units, context.peer(request)
    return await _said(request, await units.part(account, unit_id, form.get("way", ""), peer=peer), "?done=parted")


def _whose(request: web.Request) -> tuple[AccountId, UnitId]:
    return context.visitor(request).account.id, UnitId(request.match_info["id"])


async def _said(request: web.Request, denied: Denied | None, notice: str) -> web.Response:
    """Show the unit's page again, with what was refused or with the notice of what was done."""
    return await _unit(request, denied) if denied else context.see(f"/units/{request.match_info['id']}{notice}")
