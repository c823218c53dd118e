"""How a phone comes to trust the gateway's own certificate authority: the page about it, and the certificate."""

from aiohttp import web
from markupsafe import Markup

from gateway.web import problems, render, texts
from gateway.web.authority import Pair
from gateway.web.qr import qr_svg
from gateway.work.outcomes import Denied

AUTHORITY = web.AppKey("authority", Pair)
"""Only there if the gateway has one."""
_NONE = Denied("not_found", texts.text("trust.none"), 404)


async def show(request: web.Request) -> web.Response:
    """Show the fingerprint, and what to do on which device."""
    authority = request.app.get(AUTHORITY)
    if authority is None:
        return render.page(request, "message.html", heading=texts.text("trust.title"), detail=_NONE.detail)
    there = f"https://{request.host}{request.path}#{authority.fingerprint.replace(':', '')}"
    return render.page(
        request,
        "trust.html",
        fingerprint=authority.fingerprint,
        until=authority.certificate.not_valid_after_utc,
        qr=Markup(qr_svg(there)),  # noqa: S704 - our own SVG; the URL is drawn, not quoted
    )


async def certificate(request: web.Request) -> web.Response:
    """Return the authority's certificate, as devices take it to install."""
    authority = request.app.get(AUTHORITY)
    if authority is None:
        return problems.render_for(request, _NONE)
    return web.Response(
        body=authority.pem,
        headers={"Content-Type": "application/x-x509-ca-cert", "Cache-Control": "no-store"},
    )
