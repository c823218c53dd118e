"""The account's live sessions and known devices."""

from aiohttp import web

from gateway.core.model import SessionId
from gateway.web import context, problems
from gateway.web.api import answers_account as answers
from gateway.web.api.bodies import done, reply


async def list_sessions(request: web.Request) -> web.Response:
    """List the live sessions."""
    known = context.visitor(request)
    rows = await context.services(request).sessions.of(known.account)
    return reply(answers.SessionList([answers.session_row(row, known.session.id) for row in rows]))


async def end(request: web.Request) -> web.Response:
    """End one session."""
    account, session = context.visitor(request).account.id, SessionId(request.match_info["id"])
    denied = await context.services(request).sessions.end(account, session, caller=context.caller(request))
    return problems.response(denied) if denied else done()


async def stop_forwarding(request: web.Request) -> web.Response:
    """Stop forwarding now, through every session; the pages stay open."""
    session, caller = context.visitor(request).session, context.caller(request)
    await context.services(request).sessions.stop_forwarding(session, caller=caller)
    return done()


async def list_devices(request: web.Request) -> web.Response:
    """List the known devices."""
    rows = await context.services(request).devices.of(context.visitor(request).account.id)
    return reply(answers.DeviceList([answers.device(row) for row in rows]))


async def forget_device(request: web.Request) -> web.Response:
    """Forget a known device."""
    account = context.visitor(request).account.id
    denied = await context.services(request).devices.forget(account, request.match_info["id"])
    return problems.response(denied) if denied else done()
