"""The account management page: [Account setting] with [Enable …] or [Disable two-factor authentication]."""

from aiohttp import web
from markupsafe import Markup

from gateway.core.model import Level
from gateway.core.session import default_window_h
from gateway.web import context, render, texts
from gateway.web.origins import posted
from gateway.web.pages import cookies, paper, shown
from gateway.web.pages.forms import number
from gateway.web.qr import qr_svg
from gateway.work.enroll import Enrolment
from gateway.work.outcomes import Denied


async def manage(request: web.Request) -> web.Response:
    """Show the account management page."""
    return render.page(request, "manage.html", **await shown.account(request))


async def show_enable(request: web.Request) -> web.Response:
    """Ask for the password before a secret key is made; back to the page while it is not available."""
    availability = await context.services(request).enroll.availability(context.visitor(request).account)
    if not (availability.enabled and availability.action == "enable"):
        return context.see("/account")
    return await _ask(request)


async def _ask(request: web.Request, denied: Denied | None = None) -> web.Response:
    """Ask for the password; who enables is shown units and sessions, to see whether all of them are known."""
    known, rooms = context.visitor(request), context.services(request)
    return render.page(
        request,
        "enable.html" if known.session.level is Level.L1 else "replace.html",
        denied=denied,
        lost=known.session.level is Level.LR,
        units=await rooms.units.of(known.account.id),
        sessions=await rooms.sessions.of(known.account),
    )


async def start(request: web.Request) -> web.Response:
    """Make a secret key and show it as QR code and text."""
    return await _start(request, replaces=False)


async def show_replace(request: web.Request) -> web.Response:
    """Ask for the password before the authenticator is replaced; the old one holds until then."""
    return await _ask(request)


async def replace(request: web.Request) -> web.Response:
    """Make a secret key for another authenticator and show it."""
    return await _start(request, replaces=True)


async def _start(request: web.Request, *, replaces: bool) -> web.Response:
    password = (await posted(request)).get("password", "")
    session, caller = context.visitor(request).session, context.caller(request)
    made = await context.services(request).enroll.start(session, password, caller=caller, replaces=replaces)
    return await _ask(request, made) if isinstance(made, Denied) else _enrol(request, made)


def _enrol(request: web.Request, enrolment: Enrolment | None, denied: Denied | None = None) -> web.Response:
    windows = context.services(request).enroll.windows_h
    return render.page(
        request,
        "enrol.html",
        denied=denied,
        enrolment=enrolment,
        qr=Markup(qr_svg(enrolment.uri)) if enrolment else "",  # noqa: S704 - our own SVG; the URI is drawn, not quoted
        email=context.visitor(request).account.email,
        windows=windows,
        window_h=default_window_h(windows),
    )


async def confirm(request: web.Request) -> web.Response:
    """Check one code; then two-factor authentication is on and forwarding open."""
    form = await posted(request)
    grant = await context.services(request).enroll.confirm(
        context.visitor(request).session,
        form.get("code", "").replace(" ", ""),
        window_h=number(form.get("window_h", "")),
        caller=context.caller(request),
    )
    if not isinstance(grant, Denied):
        return paper.handed_out(request, grant, title="enrol.done", following="/account")
    if grant.reason == "enrolment_over":
        return await _ask(request, grant)
    return _enrol(request, None, grant)


async def show_disable(request: web.Request) -> web.Response:
    """Ask for password, code and an acknowledgement of what is held."""
    availability = await context.services(request).enroll.availability(context.visitor(request).account)
    if not (availability.enabled and availability.action == "disable"):
        return context.see("/account")
    return await _disable(request)


async def _disable(request: web.Request, denied: Denied | None = None) -> web.Response:
    held = await context.services(request).catalogue.held_count(context.visitor(request).account.id)
    return render.page(request, "disable.html", denied=denied, held=held)


async def disable(request: web.Request) -> web.Response:
    """Switch two-factor authentication off; every session ends."""
    form = await posted(request)
    held = number(form.get("held", ""))
    if held != 0 and form.get("acknowledged") != "yes":
        return await _disable(request, Denied("unusable", texts.text("disable.held.ack.missing"), 422))
    denied = await context.services(request).enroll.disable(
        context.visitor(request).session,
        form.get("password", ""),
        form.get("code", "").replace(" ", ""),
        held=held,
        caller=context.caller(request),
    )
    if denied:
        return await _disable(request, denied)
    return cookies.dismiss(request, "/sign-in?done=disabled")
