"""The very first page: make the first account."""

from aiohttp import web

from gateway.web import context, render
from gateway.web.origins import posted
from gateway.web.pages import paper
from gateway.web.pages.forms import DIFFER
from gateway.work.outcomes import Denied


async def show(request: web.Request) -> web.Response:
    """Show the form, as long as there is no account."""
    if not await context.services(request).founding.setup_required():
        return context.see("/")
    return render.page(request, "setup.html", email="")


async def submit(request: web.Request) -> web.Response:
    """Make the account and sign it in."""
    form = await posted(request)
    email, password = form.get("email", ""), form.get("password", "")
    if password != form.get("again", ""):
        return _again(request, email, DIFFER)
    made = await context.services(request).founding.first(
        form.get("token", "").strip(), email, password, caller=context.caller(request)
    )
    if isinstance(made, Denied):
        return _again(request, email, made)
    return paper.handed_out(request, made, title="paper.title")


def _again(request: web.Request, email: str, denied: Denied) -> web.Response:
    return render.page(request, "setup.html", denied=denied, email=email)
