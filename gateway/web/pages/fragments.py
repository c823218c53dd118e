"""Parts of pages, for the script that refreshes them when a topic changed. Fetching one is no activity."""

from aiohttp import web

from gateway.web import problems, render
from gateway.web.pages import shown
from gateway.work.outcomes import NOT_FOUND


async def units(request: web.Request) -> web.Response:
    """Return the list of units."""
    return render.page(request, "_units.html", **await shown.units(request))


async def scans(request: web.Request) -> web.Response:
    """Return the list of scans."""
    return render.page(request, "_scans.html", **await shown.scans(request))


async def scan(request: web.Request) -> web.Response:
    """Return one scan."""
    values = await shown.scan(request)
    return render.page(request, "_scan.html", **values) if values else problems.response(NOT_FOUND)


async def forwarding(request: web.Request) -> web.Response:
    """Return the banner."""
    return render.page(request, "_forwarding.html", **await shown.forwarding(request))


async def account(request: web.Request) -> web.Response:
    """Return [Account setting]."""
    return render.page(request, "_account.html", **await shown.account(request))


async def notices(request: web.Request) -> web.Response:
    """Return what the account is told."""
    return render.page(request, "_notices.html", **await shown.notices(request))


async def found(request: web.Request) -> web.Response:
    """Return the list of scanners in sight."""
    return render.page(request, "_found.html", **await shown.found(request))


async def claim(request: web.Request) -> web.Response:
    """Return how a claim stands."""
    values = await shown.claim(request)
    return render.page(request, "_claim.html", **values) if values else problems.response(NOT_FOUND)
