"""The session cookie of browsers. Plain HTTP on loopback: no `__Host-` prefix and no Secure (SECURITY.md)."""

from aiohttp import web

from gateway.web import context
from gateway.web.guard import COOKIE
from gateway.work.outcomes import Grant


def admit(grant: Grant, location: str) -> web.Response:
    """Go on to `location` with the session's cookie; it lives as long as the browser, at most."""
    response = context.see(location)
    response.set_cookie(COOKIE, grant.token, httponly=True, samesite="Strict", path="/")
    return response


def dismiss(location: str) -> web.Response:
    """Go on to `location` without a session."""
    response = context.see(location)
    response.del_cookie(COOKIE, path="/", httponly=True, samesite="Strict")
    return response
