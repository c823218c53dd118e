"""Lost password, lost authenticator, both; and the invitation: pages that lead back (or for the first time) in."""

from collections.abc import Mapping

from aiohttp import web

from gateway.core.model import Level
from gateway.web import context, render, texts
from gateway.web.context import VISITOR
from gateway.web.origins import posted
from gateway.web.pages import cookies, paper
from gateway.web.pages.forms import DIFFER, after
from gateway.work.outcomes import Denied, Grant
from gateway.work.signin import PAPER_ALONE


def _form(request: web.Request, template: str, given: Mapping[str, str], denied: Denied | None = None) -> web.Response:
    return render.page(request, template, denied=denied, given=given)


def _outcome(request: web.Request, template: str, form: Mapping[str, str], outcome: Grant | Denied) -> web.Response:
    if isinstance(outcome, Denied):
        return _form(request, template, form, outcome)
    if outcome.paper is not None:
        return paper.handed_out(request, outcome, title="paper.title")
    return cookies.admit(request, outcome, "/sign-in/code" if outcome.session.level is Level.LP else "/")


async def show_rescue(request: web.Request) -> web.Response:
    """Ask for the rescue key and a new password."""
    return _form(request, "rescue.html", {})


async def rescue(request: web.Request) -> web.Response:
    """Replace a forgotten password."""
    form = await posted(request)
    if form.get("password", "") != form.get("again", ""):
        return _form(request, "rescue.html", form, DIFFER)
    old, caller = request.get(VISITOR), context.caller(request)
    outcome = await context.services(request).recovery.rescue(
        form.get("email", ""),
        form.get("rescue_key", ""),
        form.get("password", ""),
        caller=caller,
        replaces=old.session if old else None,
    )
    return _outcome(request, "rescue.html", form, outcome)


async def show_reset(request: web.Request) -> web.Response:
    """Ask for the administrator's ticket and a new password."""
    return _form(request, "reset.html", {})


async def reset(request: web.Request) -> web.Response:
    """Set a new password with the administrator's ticket."""
    form = await posted(request)
    if form.get("password", "") != form.get("again", ""):
        return _form(request, "reset.html", form, DIFFER)
    outcome = await context.services(request).recovery.reset(
        form.get("ticket", ""),
        form.get("password", ""),
        caller=context.caller(request),
        rescue_key=form.get("rescue_key", ""),
    )
    return _outcome(request, "reset.html", form, outcome)


async def show_invitation(request: web.Request) -> web.Response:
    """Ask for the invitation, the e-mail address and a password."""
    return _form(request, "invitation.html", {})


async def accept(request: web.Request) -> web.Response:
    """Create the account that an invitation is for."""
    form = await posted(request)
    if form.get("password", "") != form.get("again", ""):
        return _form(request, "invitation.html", form, DIFFER)
    old, caller = request.get(VISITOR), context.caller(request)
    outcome = await context.services(request).founding.invited(
        form.get("ticket", ""),
        form.get("email", ""),
        form.get("password", ""),
        caller=caller,
        replaces=old.session if old else None,
    )
    return _outcome(request, "invitation.html", form, outcome)


async def show_sign_in_code(request: web.Request) -> web.Response:
    """Ask for a sign-in code, while a code is due."""
    following = after(request.query.get("next", "/"))
    if context.level(request) is not Level.LP:
        return context.see(following)
    return _form(request, "sign_in_code.html", {"next": following})


async def sign_in_code(request: web.Request) -> web.Response:
    """Check a sign-in code; then another authenticator can be set up."""
    form = await posted(request)
    session, caller = context.visitor(request).session, context.caller(request)
    outcome = await context.services(request).signin.sign_in_code(session, form.get("code", ""), caller=caller)
    if not isinstance(outcome, Denied):
        return cookies.admit(request, outcome, "/account/authenticator")
    if outcome is PAPER_ALONE:
        return render.page(
            request,
            "message.html",
            status=outcome.status,
            heading=texts.text("sign_in_code.title"),
            detail=outcome.detail,
        )
    return _form(request, "sign_in_code.html", form, outcome)
