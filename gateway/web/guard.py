"""What stands before every handler: errors, Host, size, origin, set-up, session, level. Strictest by default."""

import logging
from datetime import timedelta
from urllib.parse import urlencode

from aiohttp import web

from gateway.core.account import FRESH_PASSWORD_SPAN
from gateway.core.model import Instant, Level, Session
from gateway.web import context, entrance, origins, problems
from gateway.web.context import MOMENT, TOKEN, VISITOR
from gateway.web.pages import cookies
from gateway.web.route import Face, Handler, Route, row_of
from gateway.work.founding import Founding
from gateway.work.outcomes import Denied
from gateway.work.sessions import Visitor

BODY_LIMIT_BYTES = 64 * 1024

_POLICY = "Content-Security-Policy"
HEADERS = {
    _POLICY: "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
    "connect-src 'self'; manifest-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Server": "scansnap-gateway",
}  # No Strict-Transport-Security: whoever lost trust in a CA that the gateway made itself must be able to come back.

TOO_LARGE = Denied("too_large", "The request is too large: 64 KiB is the limit.", 413)
CLOSED = Denied("closed", "This address is closed.", 403)
SETUP = Denied("setup_required", "This gateway has no account yet. Set it up first.", 409)
SIGN_IN = Denied("sign_in", "Sign in first.", 401)
CODE_DUE = Denied("code_due", "The authentication code is still due.", 401)
LOCKED = Denied("locked", "Locked after 30 minutes without activity. Sign in again.", 401)
STEP_UP = Denied("step_up", "Enter your password, and the code if two-factor authentication is on, again.", 401)
REPLACE = Denied("replace_authenticator", "Set up an authenticator first: you signed in with a sign-in code.", 403)
NEEDS_TWO_FACTOR = Denied("two_factor_needed", "This needs two-factor authentication. Enable it first.", 403)

_TOO_LOW = {Level.LP: CODE_DUE, Level.LR: REPLACE}
_DOORS = {CODE_DUE: "/sign-in/code", REPLACE: "/account/authenticator"}

log = logging.getLogger(__name__)


class Doorkeeper:
    """Remembers that set-up is done: an account, once made, stays."""

    def __init__(self, founding: Founding) -> None:
        self._founding = founding
        self._done = False

    async def setup_required(self) -> bool:
        """Tell whether no account exists yet."""
        if not self._done:
            self._done = not await self._founding.setup_required()
        return not self._done


DOORKEEPER = web.AppKey("doorkeeper", Doorkeeper)


async def add_headers(request: web.Request, response: web.StreamResponse) -> None:
    """Put the security headers on a response of any status; what is not a static file is not stored anywhere."""
    policy = response.headers.get(_POLICY, HEADERS[_POLICY])  # of what leaves as a file a stricter one
    response.headers.update(HEADERS | {_POLICY: policy})
    response.headers.setdefault("Cache-Control", "no-store")


@web.middleware
async def errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn everything that goes wrong into a response."""
    try:
        return await handler(request)
    except problems.ProblemError as error:
        return problems.render_for(request, error.denied, error.errors)
    except web.HTTPException as error:
        return problems.of_http(request, error)
    except Exception:
        log.exception("%s %s failed", request.method, request.path)
        return problems.render_for(request, problems.INTERNAL)


@web.middleware
async def shape(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse what needs no look at the session: other names, plain HTTP, large bodies, other sites and kinds."""
    turned = entrance.refusal(request)
    if turned is not None:
        return turned
    if (request.content_length or 0) > BODY_LIMIT_BYTES:
        return problems.render_for(request, TOO_LARGE)
    row = row_of(request)
    refused = origins.refusal(request, row.face) if row else None
    return problems.render_for(request, refused) if refused else await handler(request)


@web.middleware
async def admission(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Let a request through to its handler only as far as its row in the table says."""
    row = row_of(request)
    if row is None:
        if request.match_info.http_exception is None:
            return problems.render_for(request, CLOSED)
        return await handler(request)
    slower = context.services(request).calls.knock(context.caller(request)) if row.knocks else None
    if slower is not None:
        return problems.render_for(request, slower)
    if not row.before_setup and await request.app[DOORKEEPER].setup_required():
        return context.see("/setup") if row.face is Face.PAGE else problems.render_for(request, SETUP)
    await _recognise(request, row)
    now = context.services(request).clock.now()
    refused = level_refusal(row, request.get(VISITOR), now)
    if refused is not None:
        return _turn_away(request, row, refused)
    refused = await origins.form_refusal(request, row.face)
    return problems.render_for(request, refused) if refused else await handler(request)


async def _recognise(request: web.Request, row: Route) -> None:
    token = request.cookies.get(cookies.name(request))
    if row.face is not Face.PAGE:
        token = origins.bearer(request) or token
    if row.face is Face.STATIC or not token:
        return
    visitor = await context.services(request).sessions.whois(token, acts=acts(request, row))
    if visitor is not None:
        request[VISITOR], request[TOKEN] = visitor, token
        request[MOMENT] = context.services(request).hub.moment(visitor.account.id)


def acts(request: web.Request, row: Route) -> bool:
    """Tell whether a person did this: a navigation or an unsafe method, never what a script fetches by itself."""
    if request.method not in origins.SAFE:
        return True
    mode = request.headers.get("Sec-Fetch-Mode")
    if row.face is Face.PAGE:
        return mode in (None, "navigate")
    return row.face is Face.API and mode == "navigate"


def level_refusal(row: Route, visitor: Visitor | None, now: Instant) -> Denied | None:
    """Return why a visitor may not use a row now, or None."""
    if Level.L0 in row.levels:
        return None
    if visitor is None:
        return SIGN_IN if row.levels else CLOSED
    if visitor.locked and not row.while_locked:
        return LOCKED
    if visitor.session.level not in row.levels:
        return _TOO_LOW.get(visitor.session.level, NEEDS_TWO_FACTOR)
    return STEP_UP if row.fresh and not fresh(visitor.session, now) else None


def fresh(session: Session, now: Instant) -> bool:
    """Tell whether password and, at L2, code were given within the last 10 minutes."""
    if session.level is Level.LR:  # lives a quarter of an hour from password and sign-in code
        return True
    given = [session.password_at] if session.level is not Level.L2 else [session.password_at, session.totp_at]
    return all(at is not None and timedelta(0) <= now.utc - at < FRESH_PASSWORD_SPAN for at in given)


def _turn_away(request: web.Request, row: Route, refused: Denied) -> web.Response:
    if row.face is not Face.PAGE or (refused.status != 401 and refused is not REPLACE):
        return problems.render_for(request, refused)
    after = request.path if request.method == "GET" else "/"
    door = _DOORS.get(refused, "/sign-in")
    return context.see(f"{door}?{urlencode({'next': after, 'why': refused.reason})}")
