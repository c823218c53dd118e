"""What a handler knows of its request: the rooms, the visitor, the peer. Keys only, no decisions."""

from aiohttp import web

from gateway.core.model import Level
from gateway.web import peers
from gateway.work.caller import Caller
from gateway.work.services import Services
from gateway.work.sessions import Visitor

SERVICES = web.AppKey("services", Services)
VISITOR = web.RequestKey("visitor", Visitor)
TOKEN = web.RequestKey("token", str)
MOMENT = web.RequestKey("moment", int)
DEVICE_COOKIE = "did"


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
    """Return the client's address, behind trusted proxies too, for the audit and the throttles."""
    return peers.of(request).address


def caller(request: web.Request) -> Caller:
    """Return who calls, from where and by what; a known device shows its cookie, a program a header."""
    client = "".join(c if c.isprintable() else "?" for c in request.headers.get("User-Agent", ""))
    device = request.cookies.get(peers.cookie(request, DEVICE_COOKIE), "") or request.headers.get("ScanSnap-Device", "")
    return Caller(peer(request), client, device if device.isascii() else "")  # ours is; bytes of others have no MAC


def see(location: str) -> web.Response:
    """Answer "see other": after a form, or to where the visitor must go first."""
    return web.Response(status=303, headers={"Location": location})
