"""What a handler knows of its request: the rooms, the visitor, the peer. Keys only, no decisions."""

from aiohttp import web

from gateway.core.model import Level
from gateway.work.services import Services
from gateway.work.signin import Visitor

SERVICES = web.AppKey("services", Services)
VISITOR = web.RequestKey("visitor", Visitor)
TOKEN = web.RequestKey("token", str)


def services(request: web.Request) -> Services:
    """Return the rooms."""
    return request.config_dict[SERVICES]


def visitor(request: web.Request) -> Visitor:
    """Return whose request this is; KeyError on a route that is open to everybody."""
    return request[VISITOR]


def level(request: web.Request) -> Level:
    """Return the level of the request's session, L0 without one."""
    known = request.get(VISITOR)
    return known.session.level if known else Level.L0


def peer(request: web.Request) -> str:
    """Return the address of the other end, for the audit."""
    return request.remote or ""


def see(location: str) -> web.Response:
    """Answer "see other": after a form, or to where the visitor must go first."""
    return web.Response(status=303, headers={"Location": location})
