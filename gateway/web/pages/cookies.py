"""The cookies of browsers: the session, and the known device. Over plain HTTP on loopback no prefix and no Secure."""

from aiohttp import web

from gateway.web import context, peers
from gateway.work.devices import SPAN
from gateway.work.outcomes import Grant


def name(request: web.Request) -> str:
    """Return how the session's cookie is called on the way that the request came."""
    return peers.cookie(request, "sid")


def keep(request: web.Request, response: web.Response, grant: Grant) -> web.Response:
    """Give a browser its session, which lives as long as the browser, at most; and the cookie it is known again by."""
    _set(request, response, name(request), grant.token)
    if grant.device:
        age_s = round(SPAN.total_seconds())
        _set(request, response, peers.cookie(request, context.DEVICE_COOKIE), grant.device, max_age=age_s)
    return response


def _set(request: web.Request, response: web.Response, name: str, value: str, *, max_age: int | None = None) -> None:
    secure = peers.of(request).secure or None
    response.set_cookie(name, value, max_age=max_age, httponly=True, samesite="Strict", path="/", secure=secure)


def admit(request: web.Request, grant: Grant, location: str) -> web.Response:
    """Go on to `location` with the session's cookie."""
    return keep(request, context.see(location), grant)


def dismiss(request: web.Request, location: str) -> web.Response:
    """Go on to `location` without a session; the device stays known."""
    response = context.see(location)
    secure = peers.of(request).secure or None
    response.del_cookie(name(request), path="/", httponly=True, samesite="Strict", secure=secure)
    return response
