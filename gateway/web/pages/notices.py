"""Notices: putting one away, and where else they are pushed to."""

from aiohttp import web

from gateway.core.model import Level
from gateway.core.notice import ChannelId, NoticeId
from gateway.destinations.push import CHANNELS, Channel
from gateway.web import context, problems, render
from gateway.web.origins import posted
from gateway.work.outcomes import NOT_FOUND, Denied


async def put_away(request: web.Request) -> web.Response:
    """Put a notice away."""
    account, notice = context.visitor(request).account.id, NoticeId(request.match_info["id"])
    denied = await context.services(request).notices.read(account, notice)
    return problems.render_for(request, denied) if denied else context.see("/")


async def show(request: web.Request) -> web.Response:
    """Show where notices are pushed to."""
    return await _list(request)


async def _list(request: web.Request, denied: Denied | None = None) -> web.Response:
    rows = await context.services(request).channels.of(context.visitor(request).account.id)
    may_change = context.level(request) is Level.L2
    return render.page(request, "channels.html", denied=denied, rows=rows, kinds=CHANNELS, may_change=may_change)


async def show_form(request: web.Request) -> web.Response:
    """Show the empty form of one kind."""
    kind = CHANNELS.get(request.match_info["kind"])
    return _form(request, kind, {}) if kind else problems.render_for(request, NOT_FOUND)


def _form(request: web.Request, kind: Channel, given: dict[str, str], denied: Denied | None = None) -> web.Response:
    return render.page(request, "channel_add.html", denied=denied, kind=kind, given=given)


async def add(request: web.Request) -> web.Response:
    """Save a channel; a refused form comes back with what was entered, without its secrets."""
    name = request.match_info["kind"]
    kind = CHANNELS.get(name)
    if kind is None:
        return problems.render_for(request, NOT_FOUND)
    form, account = await posted(request), context.visitor(request).account.id
    given = {
        secret: {f.name: form.get(f.name, "") for f in kind.fields if f.secret is secret} for secret in (False, True)
    }
    channels, peer = context.services(request).channels, context.peer(request)
    made = await channels.add(account, name, given[False], given[True], peer=peer)
    return (
        _form(request, kind, given[False], made)
        if isinstance(made, Denied)
        else context.see("/settings/notices?done=channel_added")
    )


async def test(request: web.Request) -> web.Response:
    """Push a notice that says it is a test."""
    account, channel = context.visitor(request).account.id, ChannelId(request.match_info["id"])
    denied = await context.services(request).channels.test(account, channel)
    return await _list(request, denied) if denied else context.see("/settings/notices?done=channel_tested")


async def remove(request: web.Request) -> web.Response:
    """Remove a channel."""
    account, channel = context.visitor(request).account.id, ChannelId(request.match_info["id"])
    denied = await context.services(request).channels.remove(account, channel, peer=context.peer(request))
    return await _list(request, denied) if denied else context.see("/settings/notices?done=channel_removed")
