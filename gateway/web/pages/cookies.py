"""The cookies of browsers: the session, and the known device. Over plain HTTP on loopback no prefix and no Secure."""

from aiohttp import web

from gateway.web import context
from gateway.web.guard import COOKIE
from gateway.work.devices import SPAN
from gateway.work.outcomes import Grant


def keep(response: web.Response, grant: Grant) -> web.Response:
    """Give a browser its session, which lives as long as the browser, at most; and the cookie it is known again by."""
    response.set_cookie(COOKIE, grant.token, httponly=True, samesite="Strict", path="/")
    if grant.device:
        age_s = round(SPAN.total_seconds())
        response.set_cookie(
            context.DEVICE_COOKIE, grant.device, max_age=age_s, httponly=True, samesite="Strict", path="/"
        )
    return response


def admit(grant: Grant, location: str) -> web.Response:
    """Go on to `location` with the session's cookie."""
    return keep(context.see(location), grant)


def dismiss(location: str) -> web.Response:
    """Go on to `location` without a session; the device stays known."""
    response = context.see(location)
    response.del_cookie(COOKIE, path="/", httponly=True, samesite="Strict")
    return response
