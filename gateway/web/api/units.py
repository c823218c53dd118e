"""Units in sight, claims on them, and the account's own."""

import msgspec
from aiohttp import web

from gateway.core.model import UnitId, UnitSettings
from gateway.web import context, problems
from gateway.web.api import answers_things as answers
from gateway.web.api import asks, conditions
from gateway.web.api.bodies import done, read, reply
from gateway.web.api.settings import ScanSettings
from gateway.work.outcomes import NOT_FOUND, Denied


async def list_found(request: web.Request) -> web.Response:
    """List every unit in sight."""
    account = context.visitor(request).account.id
    rows = await context.services(request).sights.listing()
    return reply(answers.FoundList([answers.found(row, account) for row in rows]))


async def open_claim(request: web.Request) -> web.Response:
    """Claim one unit in sight: its Scan button must be pressed within 60 seconds."""
    body = await read(request, asks.OpenClaim)
    account, units = context.visitor(request).account.id, context.services(request).units
    unit = UnitId(body.unit) if body.unit else None
    claim = await units.claim(account, body.sighting, password=body.password, join=unit)
    return problems.response(claim) if isinstance(claim, Denied) else reply(answers.claim(claim), 201)


async def get_claim(request: web.Request) -> web.Response:
    """Say how a claim stands."""
    account = context.visitor(request).account.id
    claim = context.services(request).claims.get(account, request.match_info["id"])
    return reply(answers.claim(claim)) if claim else problems.response(NOT_FOUND)


async def list_units(request: web.Request) -> web.Response:
    """List the account's units."""
    rows = await context.services(request).units.of(context.visitor(request).account.id)
    news = await context.services(request).units.newcomers()
    newcomers = [answers.NewcomerAnswer(row.model, row.owner, row.since) for row in news]
    return reply(answers.UnitList([answers.unit(row) for row in rows], newcomers))


async def get_unit(request: web.Request) -> web.Response:
    """Return one unit."""
    unit = await _unit(request)
    return reply(unit) if unit else problems.response(NOT_FOUND)


async def get_settings(request: web.Request) -> web.Response:
    """Return how a unit scans."""
    unit = await _unit(request)
    return reply(unit.settings) if unit else problems.response(NOT_FOUND)


async def _unit(request: web.Request) -> answers.UnitAnswer | None:
    rows = await context.services(request).units.of(context.visitor(request).account.id)
    return next((answers.unit(row) for row in rows if row.unit.id == request.match_info["id"]), None)


async def rename(request: web.Request) -> web.Response:
    """Give a unit another name. If-Match: the ETag of the unit."""
    body = await read(request, asks.Rename)
    async with request.app[conditions.CHANGES]:
        unit = await _unit(request)
        refused = conditions.refusal(request, unit) if unit else None
        return refused or await _renamed(request, body)


async def _renamed(request: web.Request, body: asks.Rename) -> web.Response:
    rooms, account = context.services(request), context.visitor(request).account.id
    unit_id = UnitId(request.match_info["id"])
    renamed = await rooms.units.rename(account, unit_id, body.label, peer=context.peer(request))
    if isinstance(renamed, Denied):
        return problems.response(renamed)
    return reply(answers.unit(rooms.units.view(renamed)))


async def configure(request: web.Request) -> web.Response:
    """Set how a unit scans, from its next scan on. If-Match: the ETag of the settings."""
    body = await read(request, ScanSettings)
    async with request.app[conditions.CHANGES]:
        unit = await _unit(request)
        refused = conditions.refusal(request, unit.settings) if unit else None
        return refused or await _configured(request, body)


async def _configured(request: web.Request, body: ScanSettings) -> web.Response:
    units, account = context.services(request).units, context.visitor(request).account.id
    settings = UnitSettings(**msgspec.structs.asdict(body))
    configured = await units.configure(account, UnitId(request.match_info["id"]), settings)
    if isinstance(configured, Denied):
        return problems.response(configured)
    return reply(answers.unit(units.view(configured)))


async def remove(request: web.Request) -> web.Response:
    """Unregister a unit; the last one only while two-factor authentication is off."""
    account = context.visitor(request).account.id
    unit_id = UnitId(request.match_info["id"])
    denied = await context.services(request).units.remove(account, unit_id, peer=context.peer(request))
    return problems.response(denied) if denied else done()


async def scan(request: web.Request) -> web.Response:
    """Scan now, as if the unit's button had been pressed."""
    account = context.visitor(request).account.id
    denied = await context.services(request).watch.scan_now(account, UnitId(request.match_info["id"]))
    return problems.response(denied) if denied else done()


async def lend(request: web.Request) -> web.Response:
    """Let another app have the unit for 10 minutes."""
    return await _lent(request, lent=True)


async def take_back(request: web.Request) -> web.Response:
    """Take a unit back that was lent."""
    return await _lent(request, lent=False)


async def _lent(request: web.Request, *, lent: bool) -> web.Response:
    account = context.visitor(request).account.id
    denied = await context.services(request).units.lend(account, UnitId(request.match_info["id"]), lent=lent)
    return problems.response(denied) if denied else done()


async def set_password(request: web.Request) -> web.Response:
    """Set the password that a way to a unit asks for."""
    body = await read(request, asks.WayPassword)
    account, unit_id = context.visitor(request).account.id, UnitId(request.match_info["id"])
    units, peer = context.services(request).units, context.peer(request)
    denied = await units.set_password(account, unit_id, body.way, body.password, peer=peer)
    return problems.response(denied) if denied else done()


async def trust(request: web.Request) -> web.Response:
    """Take up a suspended way again, as what it shows now."""
    body = await read(request, asks.TrustWay)
    account, unit_id = context.visitor(request).account.id, UnitId(request.match_info["id"])
    units, peer = context.services(request).units, context.peer(request)
    denied = await units.trust(account, unit_id, body.way, body.shown, peer=peer)
    return problems.response(denied) if denied else done()


async def part(request: web.Request) -> web.Response:
    """Take a way from a unit that has others."""
    body = await read(request, asks.NamedWay)
    account, unit_id = context.visitor(request).account.id, UnitId(request.match_info["id"])
    denied = await context.services(request).units.part(account, unit_id, body.way, peer=context.peer(request))
    return problems.response(denied) if denied else done()
