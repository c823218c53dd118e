"""The account and its two-factor authentication, and what its owner changes of it."""

from aiohttp import web

from gateway.web import context, problems, versions
from gateway.web.api import answers_account as answers
from gateway.web.api import asks, queries
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
            rescue_key_kept=account.paper_kept,
            sign_in_codes_left=await rooms.recovery.codes_left(account.id),
            deletes_at=account.deletes_at,
            banner=account.banner,
        )
    )


async def start(request: web.Request) -> web.Response:
    """Begin enabling: make a secret key for the authenticator."""
    return await _start(request, replaces=False)


async def replace(request: web.Request) -> web.Response:
    """Begin replacing the authenticator: make a secret key for another one; the old one holds until then."""
    return await _start(request, replaces=True)


async def _start(request: web.Request, *, replaces: bool) -> web.Response:
    body = await read(request, asks.StartTwoFactor)
    session, caller = context.visitor(request).session, context.caller(request)
    made = await context.services(request).enroll.start(session, body.password, caller=caller, replaces=replaces)
    if isinstance(made, Denied):
        return problems.response(made)
    return reply(answers.EnrolmentAnswer(made.secret, made.uri, qr_svg(made.uri)), 201)


async def confirm(request: web.Request) -> web.Response:
    """Finish enabling with one code; the session rises to L2."""
    body = await read(request, asks.CodeSignIn)
    if not versions.current(request):  # it would lock itself out
        return versions.too_old()
    grant = await context.services(request).enroll.confirm(
        context.visitor(request).session, body.code, window_h=body.window_h, caller=context.caller(request)
    )
    return problems.response(grant) if isinstance(grant, Denied) else reply(answers.session(grant))


async def disable(request: web.Request) -> web.Response:
    """Switch two-factor off; every session ends and everything is held."""
    body = await read(request, asks.DisableTwoFactor)
    denied = await context.services(request).enroll.disable(
        context.visitor(request).session, body.password, body.code, held=body.held, caller=context.caller(request)
    )
    return problems.response(denied) if denied else done()


async def change_password(request: web.Request) -> web.Response:
    """Change the password; every session ends."""
    body = await read(request, asks.ChangePassword)
    session, caller = context.visitor(request).session, context.caller(request)
    denied = await context.services(request).account.change_password(session, body.old, body.new, caller=caller)
    return problems.response(denied) if denied else done()


async def change_email(request: web.Request) -> web.Response:
    """Change the e-mail address; every session ends."""
    body = await read(request, asks.ChangeEmail)
    session, caller = context.visitor(request).session, context.caller(request)
    denied = await context.services(request).account.change_email(session, body.email, caller=caller)
    return problems.response(denied) if denied else done()


async def delete(request: web.Request) -> web.Response:
    """Begin to delete the account; every session ends, and in 14 days everything of it is gone."""
    body = await read(request, asks.DeleteAccount)
    session, caller = context.visitor(request).session, context.caller(request)
    denied = await context.services(request).account.delete(session, body.email, caller=caller)
    return problems.response(denied) if denied else done()


async def keep(request: web.Request) -> web.Response:
    """Call the deletion of the account off."""
    session, caller = context.visitor(request).session, context.caller(request)
    denied = await context.services(request).account.keep(session, caller=caller)
    return problems.response(denied) if denied else done()


async def read_banner(request: web.Request) -> web.Response:
    """Note that the owner has read what there was to tell."""
    await context.services(request).account.read_banner(context.visitor(request).account)
    return done()


async def list_audit(request: web.Request) -> web.Response:
    """List what happened to the account, newest first."""
    account, before = context.visitor(request).account.id, queries.before_row(request)
    limit = queries.limit(request)
    found = await context.services(request).account.audit(account, limit=limit + 1, before=before)
    rows, last = queries.page(found, limit)
    return reply(answers.AuditList([answers.audit_line(row) for row in rows], last.seq if last else None))
