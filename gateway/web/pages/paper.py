"""The paper: rescue key and sign-in codes, shown once, to be printed or saved; then the rescue key typed once more."""

from urllib.parse import quote

from aiohttp import web

from gateway.web import context, render, texts
from gateway.web.context import TOKEN, VISITOR
from gateway.web.origins import posted
from gateway.web.pages import cookies
from gateway.web.pages.forms import after
from gateway.work.outcomes import Denied, Grant, Paper
from gateway.work.sessions import Visitor


def handed_out(request: web.Request, grant: Grant, *, title: str, following: str = "/") -> web.Response:
    """Show the paper that came into being with a session, and give the browser that session."""
    assert grant.paper is not None  # noqa: S101 - asked for by those who have one
    request[VISITOR], request[TOKEN] = Visitor(grant.session, grant.account, locked=False), grant.token
    return cookies.keep(request, shown(request, grant.paper, title=title, following=following), grant)


def shown(request: web.Request, paper: Paper, *, title: str, following: str) -> web.Response:
    """Show paper."""
    email = context.visitor(request).account.email
    return render.page(
        request,
        "paper.html",
        heading=texts.text(title),
        paper=paper,
        following=following,
        file="data:text/plain;charset=utf-8," + quote(_text(paper, email)),
        email=email,
    )


def _text(paper: Paper, email: str) -> str:
    lines = [texts.text("paper.file", email=email), "", texts.text("paper.key"), paper.rescue_key]
    if paper.codes:
        lines += ["", texts.text("paper.codes"), *paper.codes]
    return "\n".join((*lines, ""))


async def keep(request: web.Request) -> web.Response:
    """Check the rescue key that was typed from paper."""
    form = await posted(request)
    session, caller = context.visitor(request).session, context.caller(request)
    following = after(form.get("next", "/"))
    denied = await context.services(request).recovery.keep(session, form.get("rescue_key", ""), caller=caller)
    if denied is None:
        return context.see(f"{following}?done=paper_kept")
    return _typed(request, following, denied)


async def show_typed(request: web.Request) -> web.Response:
    """Ask for the rescue key once more."""
    return _typed(request, after(request.query.get("next", "/")))


def _typed(request: web.Request, following: str, denied: Denied | None = None) -> web.Response:
    return render.page(request, "paper_kept.html", denied=denied, following=following)
