"""The account and its two-factor authentication."""

from aiohttp import web

from gateway.web import context, problems
from gateway.web.api import answers, asks
from gateway.web.api.bodies import done, read, reply
from gateway.web.qr import qr_svg
from gateway.work.outcomes import Denied


async def get_account(request: web.Request) -> web.Response:
    """Describe the account and whether two-factor can be changed now."""
    rooms, account = context.services(request), context.visitor(request).account
    availability = await rooms.enroll.availability(account)
    forwarding = await rooms.catalogue.forwarding(account.id)
    return reply(
        answers.AccountAnswer(
            email=account.email,
            two_factor=account.two_factor,
            two_factor_available=availability.enabled,
            why=availability.why,
            held=await rooms.catalogue.held_count(account.id),
            forwarding=forwarding.open,
            forwards_until=forwarding.until,
        )
    )


async def start(request: web.Request) -> web.Response:
    """Begin enabling: make a secret key for the authenticator."""
    body = await read(request, asks.StartTwoFactor)
    session = context.visitor(request).session
    made = await context.services(request).enroll.start(session, body.password, peer=context.peer(request))
    if isinstance(made, Denied):
        return problems.response(made)
    return reply(answers.EnrolmentAnswer(made.secret, made.uri, qr_svg(made.uri)), 201)


async def confirm(request: web.Request) -> web.Response:
    """Finish enabling with one code; the session rises to L2."""
    body = await read(request, asks.CodeSignIn)
    grant = await context.services(request).enroll.confirm(
        context.visitor(request).session, body.code, window_h=body.window_h, peer=context.peer(request)
    )
    return problems.response(grant) if isinstance(grant, Denied) else reply(answers.session(grant))


async def disable(request: web.Request) -> web.Response:
    """Switch two-factor off; every session ends and everything is held."""
    body = await read(request, asks.DisableTwoFactor)
    denied = await context.services(request).enroll.disable(
        context.visitor(request).session, body.password, body.code, held=body.held, peer=context.peer(request)
    )
    return problems.response(denied) if denied else done()
