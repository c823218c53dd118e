"""The way in: what is asked for by another name, or over plain HTTP from elsewhere, comes no further than here."""

from aiohttp import web

from gateway.web import peers, problems
from gateway.web.context import SERVICES
from gateway.web.hosts import host_allowed, name_in
from gateway.web.peers import DOORS, Peer
from gateway.web.route import Face, row_of
from gateway.work.outcomes import Denied

HTTPS_PORT = 443  # what a URL need not say

WRONG_HOST = Denied("host", "This gateway does not answer to that name. Add it to web.hosts in the settings.", 421)
PLAIN_HTTP = Denied("plain_http", "Use https: plain HTTP is served on the gateway itself only.", 403)
UNCLEAR = Denied(
    "proxy_unclear", "The proxy does not say how it was reached. Have it send X-Forwarded-For and -Proto.", 400
)


def refusal(request: web.Request) -> web.Response | None:
    """Return what turns a request away at the door, or None."""
    peer = peers.of(request)
    if peer.unclear:
        return problems.render_for(request, UNCLEAR)
    further = request.app[SERVICES].settings.web.hosts
    if not all(host_allowed(host, further) for host in peer.hosts):
        return problems.render_for(request, WRONG_HOST)
    if not peer.exposed:
        return None
    return problems.render_for(request, PLAIN_HTTP) if _of_a_program(request) else _to_https(request, peer)


def _of_a_program(request: web.Request) -> bool:
    row = row_of(request)
    known = row is not None and row.face in (Face.API, Face.SCRIPT)
    return known or request.path == "/api" or request.path.startswith("/api/")


def _to_https(request: web.Request, peer: Peer) -> web.Response:
    """Answer "permanently there" (RFC 9110, 15.4.9): at our own port, or at the proxy's, which is the usual one."""
    name, port = name_in(peer.hosts[-1]), request.config_dict[DOORS].port
    host = f"[{name}]" if ":" in name else name
    there = host if port in (0, HTTPS_PORT) else f"{host}:{port}"
    return web.Response(status=308, headers={"Location": f"https://{there}{request.rel_url.raw_path_qs}"})
