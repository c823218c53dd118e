"""The account management page's further screens: sessions, recovery, security log, password, e-mail, deletion."""

from aiohttp import web

from gateway.core.model import SessionId
from gateway.web import context, problems, render, texts
from gateway.web.api import queries
from gateway.web.origins import posted
from gateway.web.pages import cookies, paper
from gateway.web.pages.forms import DIFFER
from gateway.work.outcomes import Denied

AUDIT_ROWS = 50


async def sessions(request: web.Request) -> web.Response:
    """Show the live sessions and the known devices."""
    known, rooms = context.visitor(request), context.services(request)
    return render.page(
        request,
        "sessions.html",
        rows=await rooms.sessions.of(known.account),
        devices=await rooms.devices.of(known.account.id),
        mine=known.session.id,
        levels=texts.LEVELS,
    )


async def end_session(request: web.Request) -> web.Response:
    """End one session."""
    account, session = context.visitor(request).account.id, SessionId(request.match_info["id"])
    denied = await context.services(request).sessions.end(account, session, caller=context.caller(request))
    return problems.render_for(request, denied) if denied else context.see("/account/sessions?done=session_ended")


async def forget_device(request: web.Request) -> web.Response:
    """Forget a known device."""
    account = context.visitor(request).account.id
    denied = await context.services(request).devices.forget(account, request.match_info["id"])
    return problems.render_for(request, denied) if denied else context.see("/account/sessions?done=device_forgotten")


async def stop_forwarding(request: web.Request) -> web.Response:
    """Stop forwarding now."""
    session, caller = context.visitor(request).session, context.caller(request)
    await context.services(request).sessions.stop_forwarding(session, caller=caller)
    return context.see("/?done=forwarding_stopped")


async def audit(request: web.Request) -> web.Response:
    """Show what happened to the account."""
    account, before = context.visitor(request).account.id, queries.before_row(request)
    rows = await context.services(request).account.audit(account, limit=AUDIT_ROWS, before=before)
    older = rows[-1].seq if len(rows) == AUDIT_ROWS else None
    return render.page(
        request,
        "audit.html",
        rows=rows,
        older=older,
        actions=texts.ACTIONS,
        outcomes=texts.AUDIT_OUTCOMES,
        factors=texts.FACTORS,
    )


async def recovery(request: web.Request) -> web.Response:
    """Show what is ready for a lost phone or password."""
    return await _recovery(request)


async def _recovery(request: web.Request, denied: Denied | None = None) -> web.Response:
    account = context.visitor(request).account
    return render.page(
        request,
        "recovery.html",
        denied=denied,
        account=account,
        codes_left=await context.services(request).recovery.codes_left(account.id),
    )


async def print_paper(request: web.Request) -> web.Response:
    """Print new paper."""
    password = (await posted(request)).get("password", "")
    session, caller = context.visitor(request).session, context.caller(request)
    made = await context.services(request).recovery.print(session, password, caller=caller)
    if isinstance(made, Denied):
        return await _recovery(request, made)
    return paper.shown(request, made, title="paper.title", following="/account/recovery")


async def regain(request: web.Request) -> web.Response:
    """Open the scans from before a reset again."""
    form = await posted(request)
    session, caller = context.visitor(request).session, context.caller(request)
    made = await context.services(request).recovery.regain(
        session, form.get("rescue_key", ""), form.get("password", ""), caller=caller
    )
    if isinstance(made, Denied):
        return await _recovery(request, made)
    return paper.shown(request, made, title="paper.regained", following="/account/recovery")


def _change(request: web.Request, template: str, denied: Denied | None = None) -> web.Response:
    return render.page(request, template, denied=denied, email=context.visitor(request).account.email)


async def show_password(request: web.Request) -> web.Response:
    """Ask for the password and a new one."""
    return _change(request, "change_password.html")


async def change_password(request: web.Request) -> web.Response:
    """Change the password; every session ends."""
    form = await posted(request)
    if form.get("new", "") != form.get("again", ""):
        return _change(request, "change_password.html", DIFFER)
    session, caller = context.visitor(request).session, context.caller(request)
    desk = context.services(request).account
    denied = await desk.change_password(session, form.get("old", ""), form.get("new", ""), caller=caller)
    if denied:
        return _change(request, "change_password.html", denied)
    return cookies.dismiss(request, "/sign-in?done=password_changed")


async def show_email(request: web.Request) -> web.Response:
    """Ask for a new e-mail address."""
    return _change(request, "change_email.html")


async def change_email(request: web.Request) -> web.Response:
    """Change the e-mail address; every session ends."""
    form = await posted(request)
    session, caller = context.visitor(request).session, context.caller(request)
    denied = await context.services(request).account.change_email(session, form.get("email", ""), caller=caller)
    if denied:
        return _change(request, "change_email.html", denied)
    return cookies.dismiss(request, "/sign-in?done=email_changed")


async def show_delete(request: web.Request) -> web.Response:
    """Say what deleting the account means, and ask for its e-mail address."""
    return _change(request, "delete_account.html")


async def delete(request: web.Request) -> web.Response:
    """Begin to delete the account; every session ends."""
    form = await posted(request)
    session, caller = context.visitor(request).session, context.caller(request)
    denied = await context.services(request).account.delete(session, form.get("email", ""), caller=caller)
    if denied:
        return _change(request, "delete_account.html", denied)
    return cookies.dismiss(request, "/sign-in?done=deletion_began")


async def keep(request: web.Request) -> web.Response:
    """Call the deletion off."""
    session, caller = context.visitor(request).session, context.caller(request)
    denied = await context.services(request).account.keep(session, caller=caller)
    return problems.render_for(request, denied) if denied else context.see("/?done=account_kept")


async def read_banner(request: web.Request) -> web.Response:
    """Put away what there was to tell."""
    await context.services(request).account.read_banner(context.visitor(request).account)
    return context.see("/")
