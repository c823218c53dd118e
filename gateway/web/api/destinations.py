"""Where the account's documents go."""

from aiohttp import web

from gateway.core.model import DestinationId
from gateway.web import context, problems
from gateway.web.api import answers_things as answers
from gateway.web.api import asks
from gateway.web.api.bodies import done, read, reply
from gateway.work.outcomes import Denied


async def list_destinations(request: web.Request) -> web.Response:
    """List the account's destinations, without secrets."""
    rows = await context.services(request).catalogue.destinations(context.visitor(request).account.id)
    return reply(answers.DestinationList([answers.destination(row) for row in rows]))


async def add(request: web.Request) -> web.Response:
    """Add a destination."""
    body = await read(request, asks.NewDestination)
    account = context.visitor(request).account.id
    made = await context.services(request).catalogue.add_destination(
        account,
        body.kind,
        body.label,
        body.config,
        body.secrets,
        everything=body.everything,
        peer=context.peer(request),
    )
    return problems.response(made) if isinstance(made, Denied) else reply(answers.destination(made), 201)


async def change(request: web.Request) -> web.Response:
    """Write a destination anew; what failed there is tried again."""
    body = await read(request, asks.ChangedDestination)
    changed = await context.services(request).catalogue.change_destination(
        context.visitor(request).account.id,
        DestinationId(request.match_info["id"]),
        body.label,
        body.config,
        body.secrets,
        peer=context.peer(request),
    )
    return problems.response(changed) if isinstance(changed, Denied) else reply(answers.destination(changed))


async def test(request: web.Request) -> web.Response:
    """Test a destination; no byte of any scan is sent."""
    account = context.visitor(request).account.id
    destination = DestinationId(request.match_info["id"])
    denied = await context.services(request).catalogue.test_destination(account, destination)
    return problems.response(denied) if denied else done()


async def remove(request: web.Request) -> web.Response:
    """Remove a destination."""
    account = context.visitor(request).account.id
    destination = DestinationId(request.match_info["id"])
    catalogue = context.services(request).catalogue
    denied = await catalogue.remove_destination(account, destination, peer=context.peer(request))
    return problems.response(denied) if denied else done()
