"""Set-up, signing in and out. The token is a bearer token: the API never sets a cookie."""

import re

from aiohttp import web

from gateway.core.model import Level
from gateway.web import context, problems
from gateway.web.api import answers, asks
from gateway.web.api.bodies import done, read, reply
from gateway.web.context import VISITOR
from gateway.work.outcomes import Denied, Grant

FIRST_VERSION = (1, 7)
UPDATE = Denied("client_too_old", "Update the ScanSnap Cloud application to the latest version, then sign in.", 426)


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
    too_old = body.client_version is not None and not current(body.client_version)
    if isinstance(grant, Grant) and grant.session.level is Level.LP and too_old:
        await context.services(request).sessions.sign_out(grant.session, everywhere=False, caller=caller)
        return problems.response(UPDATE)
    return _answer(grant)


def current(version: str) -> bool:
    """Tell whether a client's version knows two-factor authentication (1.7 or later)."""
    found = re.fullmatch(r"([0-9]{1,4})\.([0-9]{1,4})(?:[.+-].{0,40})?", version.strip(), re.ASCII)
    return found is not None and (int(found[1]), int(found[2])) >= FIRST_VERSION


async def sign_in_code(request: web.Request) -> web.Response:
    """Give the authentication code; a right one opens forwarding."""
    body = await read(request, asks.CodeSignIn)
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
    everywhere = request.query.get("everywhere", "1") not in ("0", "false")
    session = context.visitor(request).session
    await context.services(request).sessions.sign_out(session, everywhere=everywhere, caller=context.caller(request))
    return done()
