"""Lost things: sign-in codes, rescue key, reset, invitation, new paper."""

from aiohttp import web

from gateway.web import context, problems, versions
from gateway.web.api import answers_account as answers
from gateway.web.api import asks
from gateway.web.api.bodies import done, read, reply
from gateway.web.context import VISITOR
from gateway.work.outcomes import Denied, Grant, Paper


def _granted(outcome: Grant | Denied, status: int = 200) -> web.Response:
    if isinstance(outcome, Denied):
        return problems.response(outcome)
    return reply(answers.session(outcome), status)


def _printed(outcome: Paper | Denied) -> web.Response:
    return problems.response(outcome) if isinstance(outcome, Denied) else reply(answers.paper(outcome), 201)


async def sign_in_code(request: web.Request) -> web.Response:
    """Give a sign-in code from paper instead of the authentication code; it lets you set up another authenticator."""
    body = await read(request, asks.PaperSignIn)
    refused = await versions.refuse_code(request)
    if refused is not None:
        return refused
    session, caller = context.visitor(request).session, context.caller(request)
    return _granted(await context.services(request).signin.sign_in_code(session, body.code, caller=caller))


async def rescue(request: web.Request) -> web.Response:
    """Replace a forgotten password by the rescue key; with two-factor on it holds once the code was given."""
    body = await read(request, asks.Rescue)
    old, caller = request.get(VISITOR), context.caller(request)
    desk, replaces = context.services(request).recovery, old.session if old else None
    grant = await desk.rescue(body.email, body.rescue_key, body.password, caller=caller, replaces=replaces)
    return await versions.refuse_half_open(request, grant) or _granted(grant)


async def reset(request: web.Request) -> web.Response:
    """Set a new password with the administrator's ticket."""
    body = await read(request, asks.Reset)
    desk, caller = context.services(request).recovery, context.caller(request)
    return _granted(await desk.reset(body.ticket, body.password, caller=caller, rescue_key=body.rescue_key))


async def accept(request: web.Request) -> web.Response:
    """Create the account that an invitation is for and sign it in."""
    body = await read(request, asks.Invitation)
    old, caller = request.get(VISITOR), context.caller(request)
    founding, replaces = context.services(request).founding, old.session if old else None
    return _granted(
        await founding.invited(body.ticket, body.email, body.password, caller=caller, replaces=replaces), 201
    )


async def print_paper(request: web.Request) -> web.Response:
    """Print new paper: a new rescue key, and sign-in codes with two-factor on; the old ones are void."""
    body = await read(request, asks.StartTwoFactor)
    session, caller = context.visitor(request).session, context.caller(request)
    return _printed(await context.services(request).recovery.print(session, body.password, caller=caller))


async def keep_paper(request: web.Request) -> web.Response:
    """Type the rescue key once more, from paper."""
    body = await read(request, asks.RescueKey)
    session, caller = context.visitor(request).session, context.caller(request)
    denied = await context.services(request).recovery.keep(session, body.rescue_key, caller=caller)
    return problems.response(denied) if denied else done()


async def regain(request: web.Request) -> web.Response:
    """Open the scans from before a reset again, with the rescue key of that time."""
    body = await read(request, asks.Regain)
    session, caller = context.visitor(request).session, context.caller(request)
    desk = context.services(request).recovery
    return _printed(await desk.regain(session, body.rescue_key, body.password, caller=caller))
