"""Sign in, the code, sign out."""

from urllib.parse import urlencode

from aiohttp import web

from gateway.core.model import Level
from gateway.core.session import default_window_h
from gateway.web import context, render, texts
from gateway.web.context import VISITOR
from gateway.web.origins import posted
from gateway.web.pages import cookies, paper
from gateway.web.pages.forms import after, number
from gateway.work.outcomes import Denied

_WHY = {"locked": "sign_in.locked", "step_up": "sign_in.step_up"}


def _form(request: web.Request, *, following: str, email: str = "", denied: Denied | None = None) -> web.Response:
    why = _WHY.get(request.query.get("why", ""))
    return render.page(
        request,
        "sign_in.html",
        denied=denied,
        email=email,
        following=following,
        why=texts.text(why) if why else "",
    )


async def show(request: web.Request) -> web.Response:
    """Show the form; also to somebody signed in, because password and code may be asked again."""
    known = request.get(VISITOR)
    return _form(request, following=after(request.query.get("next", "/")), email=known.account.email if known else "")


async def submit(request: web.Request) -> web.Response:
    """Check e-mail address and password; a right pair replaces the browser's session."""
    form = await posted(request)
    following, old = after(form.get("next", "/")), request.get(VISITOR)
    email, password = form.get("email", ""), form.get("password", "")
    grant = await context.services(request).signin.password(
        email, password, caller=context.caller(request), replaces=old.session if old else None
    )
    if isinstance(grant, Denied):
        return _form(request, following=following, email=email, denied=grant)
    code_due = grant.session.level is Level.LP
    there = f"/sign-in/code?{urlencode({'next': following})}" if code_due else following
    return cookies.admit(request, grant, there)


def _code_form(request: web.Request, *, following: str, window_h: int, denied: Denied | None = None) -> web.Response:
    windows = context.services(request).signin.windows_h
    return render.page(
        request,
        "code.html",
        denied=denied,
        following=following,
        windows=windows,
        window_h=window_h or default_window_h(windows),
        email=context.visitor(request).account.email,
    )


async def show_code(request: web.Request) -> web.Response:
    """Ask for the code while one is due."""
    following = after(request.query.get("next", "/"))
    if context.level(request) is not Level.LP:
        return context.see(following)
    return _code_form(request, following=following, window_h=0)


async def submit_code(request: web.Request) -> web.Response:
    """Check the code; a right one opens forwarding for the chosen time."""
    form = await posted(request)
    following, window_h = after(form.get("next", "/")), number(form.get("window_h", ""))
    signin, session = context.services(request).signin, context.visitor(request).session
    code = form.get("code", "").replace(" ", "")
    grant = await signin.code(session, code, window_h=window_h, caller=context.caller(request))
    if not isinstance(grant, Denied):
        handed = grant.paper is not None  # the code completed the reset of a forgotten password
        if handed:
            return paper.handed_out(request, grant, title="paper.title")
        return cookies.admit(request, grant, following)
    if grant.reason in ("too_many_misses", "code_not_due"):
        return _form(request, following=following, denied=grant)
    return _code_form(request, following=following, window_h=window_h, denied=grant)


async def show_sign_out(request: web.Request) -> web.Response:
    """Ask where to sign out."""
    return render.page(request, "sign_out.html")


async def submit_sign_out(request: web.Request) -> web.Response:
    """Sign out, everywhere unless told otherwise."""
    everywhere = (await posted(request)).get("where") != "here"
    session = context.visitor(request).session
    await context.services(request).sessions.sign_out(session, everywhere=everywhere, caller=context.caller(request))
    return cookies.dismiss(request, "/sign-in?done=signed_out")
