"""What a problem's `type` leads to: a small page with its meaning."""

from aiohttp import web

from gateway.web import problems, render
from gateway.web.reasons import REASONS
from gateway.work.outcomes import Denied


async def show(request: web.Request) -> web.Response:
    """Say what a problem means."""
    reason = REASONS.get(request.match_info["name"])
    if reason is None:
        return problems.render_for(request, Denied("not_found", problems.NOWHERE, 404))
    heading = problems.heading(reason.status)
    return render.page(request, "message.html", heading=heading, detail=reason.meaning)
