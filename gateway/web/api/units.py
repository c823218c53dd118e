"""Units in sight, claims on them, and the account's own."""

import msgspec
from aiohttp import web

from gateway.core.model import UnitId, UnitSettings
from gateway.web import context, problems
from gateway.web.api import answers, asks
from gateway.web.api.bodies import done, read, reply
from gateway.web.api.settings import ScanSettings
from gateway.work.catalogue import NOT_FOUND
from gateway.work.outcomes import Denied


async def list_found(request: web.Request) -> web.Response:
    """List every unit in sight."""
    account = context.visitor(request).account.id
    rows = await context.services(request).watch.listing()
    return reply(answers.FoundList([answers.found(row, account) for row in rows]))


async def open_claim(request: web.Request) -> web.Response:
    """Claim one unit in sight: its Scan button must be pressed within 60 seconds."""
    body = await read(request, asks.OpenClaim)
    claim = context.services(request).watch.claim(context.visitor(request).account.id, body.sighting)
    return problems.response(claim) if isinstance(claim, Denied) else reply(answers.claim(claim), 201)


async def get_claim(request: web.Request) -> web.Response:
    """Say how a claim stands."""
    account = context.visitor(request).account.id
    claim = context.services(request).claims.get(account, request.match_info["id"])
    return reply(answers.claim(claim)) if claim else problems.response(NOT_FOUND)


async def list_units(request: web.Request) -> web.Response:
    """List the account's units."""
    rows = await context.services(request).catalogue.units(context.visitor(request).account.id)
    return reply(answers.UnitList([answers.unit(row) for row in rows]))


async def rename(request: web.Request) -> web.Response:
    """Give a unit another name."""
    body = await read(request, asks.Rename)
    rooms, account = context.services(request), context.visitor(request).account.id
    unit_id = UnitId(request.match_info["id"])
    renamed = await rooms.catalogue.rename_unit(account, unit_id, body.label, peer=context.peer(request))
    if isinstance(renamed, Denied):
        return problems.response(renamed)
    return reply(answers.unit(rooms.catalogue.view(renamed)))


async def configure(request: web.Request) -> web.Response:
    """Set how a unit scans, from its next scan on."""
    body = await read(request, ScanSettings)
    catalogue, account = context.services(request).catalogue, context.visitor(request).account.id
    settings = UnitSettings(**msgspec.structs.asdict(body))
    configured = await catalogue.configure_unit(account, UnitId(request.match_info["id"]), settings)
    if isinstance(configured, Denied):
        return problems.response(configured)
    return reply(answers.unit(catalogue.view(configured)))


async def remove(request: web.Request) -> web.Response:
    """Unregister a unit; the last one only while two-factor authentication is off."""
    account = context.visitor(request).account.id
    unit_id = UnitId(request.match_info["id"])
    denied = await context.services(request).catalogue.remove_unit(account, unit_id, peer=context.peer(request))
    return problems.response(denied) if denied else done()


async def scan(request: web.Request) -> web.Response:
    """Scan now, as if the unit's button had been pressed."""
    account = context.visitor(request).account.id
    denied = await context.services(request).watch.scan_now(account, UnitId(request.match_info["id"]))
    return problems.response(denied) if denied else done()
