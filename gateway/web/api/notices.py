"""What the account is told, and where else it is pushed to."""

from aiohttp import web
from msgspec import Struct, field

from gateway.core.notice import URGENT, ChannelId, NoticeId
from gateway.store.notices import Channel
from gateway.web import context, problems
from gateway.web.api.bodies import Time, done, read, reply
from gateway.work.notices import TITLES
from gateway.work.outcomes import Denied


class NoticeAnswer(Struct):
    """One thing to know. It goes when its cause goes; putting it away hides it until then."""

    id: str
    kind: str
    title: str
    detail: str
    urgent: bool
    since: Time


class NoticeList(Struct):
    """What the account is told now, newest first."""

    items: list[NoticeAnswer]


class NewChannel(Struct, forbid_unknown_fields=True):
    """A place that notices are pushed to: mail, webhook or ntfy; which fields it has, the pages show."""

    kind: str
    config: dict[str, str] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict)


class ChannelAnswer(Struct):
    """A channel, without its secrets. `error`: what went wrong with the latest push, "" if nothing did."""

    id: str
    kind: str
    config: dict[str, str]
    created_at: Time
    error: str


class ChannelList(Struct):
    """The account's channels."""

    items: list[ChannelAnswer]


def _channel(row: Channel, error: str = "") -> ChannelAnswer:
    return ChannelAnswer(row.id, row.kind, row.config, row.created_at, error)


async def list_notices(request: web.Request) -> web.Response:
    """List what the account is told now."""
    rows = await context.services(request).notices.of(context.visitor(request).account.id)
    return reply(
        NoticeList([NoticeAnswer(n.id, n.kind, TITLES[n.kind], n.detail, n.kind in URGENT, n.begun_at) for n in rows])
    )


async def put_away(request: web.Request) -> web.Response:
    """Put a notice away."""
    account, notice = context.visitor(request).account.id, NoticeId(request.match_info["id"])
    denied = await context.services(request).notices.read(account, notice)
    return problems.response(denied) if denied else done()


async def list_channels(request: web.Request) -> web.Response:
    """List where notices are pushed to."""
    rows = await context.services(request).channels.of(context.visitor(request).account.id)
    return reply(ChannelList([_channel(row, error) for row, error in rows]))


async def add_channel(request: web.Request) -> web.Response:
    """Add a place that notices are pushed to."""
    body, account = await read(request, NewChannel), context.visitor(request).account.id
    channels, peer = context.services(request).channels, context.peer(request)
    made = await channels.add(account, body.kind, body.config, body.secrets, peer=peer)
    return problems.response(made) if isinstance(made, Denied) else reply(_channel(made), 201)


async def test_channel(request: web.Request) -> web.Response:
    """Push a notice that says it is a test."""
    account, channel = context.visitor(request).account.id, ChannelId(request.match_info["id"])
    denied = await context.services(request).channels.test(account, channel)
    return problems.response(denied) if denied else done()


async def remove_channel(request: web.Request) -> web.Response:
    """Remove a channel."""
    account, channel = context.visitor(request).account.id, ChannelId(request.match_info["id"])
    denied = await context.services(request).channels.remove(account, channel, peer=context.peer(request))
    return problems.response(denied) if denied else done()
