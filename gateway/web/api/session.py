"""Set-up, signing in and out. The token is a bearer token: the API never sets a cookie."""

from aiohttp import web

from gateway.core.model import Level
from gateway.web import context, problems, versions
from gateway.web.api import answers_account as answers
from gateway.web.api import asks, queries
from gateway.web.api.bodies import done, read, reply
from gateway.web.context import VISITOR
from gateway.work.outcomes import Denied, Grant


def _answer(outcome: Grant | Denied, status: int = 200) -> web.Response:
    if isinstance(outcome, Denied):
        return problems.response(outcome)
    return reply(answers.session(outcome), status)


async def set_up(request: web.Request) -> web.Response:
    """Create the first account with the set-up token and sign it in."""
    body = await read(request, asks.SetUp)
    founding, caller = context.services(request).founding, context.caller(request)
    return _answer(await founding.first(body.token, body.email, body.password, caller=caller), 201)


async def sign_in(request: web.Request) -> web.Response:
    """Sign in with e-mail address and password; the session of this request ends."""
    body = await read(request, asks.PasswordSignIn)
    signin, caller = context.services(request).signin, context.caller(request)
    old = request.get(VISITOR)
    grant = await signin.password(body.email, body.password, caller=caller, replaces=old.session if old else None)
    return await versions.refuse_half_open(request, grant) or _answer(grant)


async def sign_in_code(request: web.Request) -> web.Response:
    """Give the authentication code; a right one opens forwarding."""
    body = await read(request, asks.CodeSignIn)
    refused = await versions.refuse_code(request)
    if refused is not None:
        return refused
    signin = context.services(request).signin
    session = context.visitor(request).session
    return _answer(await signin.code(session, body.code, window_h=body.window_h, caller=context.caller(request)))


async def get_session(request: web.Request) -> web.Response:
    """Say who this is, if anybody."""
    known = request.get(VISITOR)
    if known is None:
        return reply(answers.SessionState(Level.L0, None, locked=False, forwards_until=None))
    until = known.session.forwards_until
    return reply(
        answers.SessionState(known.session.level, known.account.email, known.locked, until.utc if until else None)
    )


async def sign_out(request: web.Request) -> web.Response:
    """End all of the account's sessions, or with everywhere=0 this one."""
    everywhere = queries.flag(request, "everywhere", default=True)
    session = context.visitor(request).session
    await context.services(request).sessions.sign_out(session, everywhere=everywhere, caller=context.caller(request))
    return done()
