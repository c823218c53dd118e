"""The owner's word on single deliveries."""

from aiohttp import web
from msgspec import Struct

from gateway.core.model import AccountId, DeliveryId, DestinationId, ScanId
from gateway.web import context, problems
from gateway.web.api import answers_things as answers
from gateway.web.api.bodies import done, read, reply
from gateway.work.outcomes import NOT_FOUND, Denied


class SendTo(Struct, forbid_unknown_fields=True):
    """A destination of the account."""

    destination: str


async def send(request: web.Request) -> web.Response:
    """Send a finished scan to a destination, once more if it has been there."""
    body, scan_id = await read(request, SendTo), ScanId(request.match_info["id"])
    rooms, account = context.services(request), context.visitor(request).account.id
    sent = await rooms.ledger.resend(account, scan_id, DestinationId(body.destination), peer=context.peer(request))
    if isinstance(sent, Denied):
        return problems.response(sent)
    row = await rooms.catalogue.scan(account, scan_id)
    return reply(answers.scan(row), 201) if row else problems.response(NOT_FOUND)


async def retry(request: web.Request) -> web.Response:
    """Try a failed delivery again, or an uncertain one although it may have arrived."""
    denied = await context.services(request).ledger.retry(*_which(request), peer=context.peer(request))
    return problems.response(denied) if denied else done()


async def confirm(request: web.Request) -> web.Response:
    """Take an uncertain delivery as delivered: its owner has looked."""
    denied = await context.services(request).ledger.confirm(*_which(request), peer=context.peer(request))
    return problems.response(denied) if denied else done()


async def discard(request: web.Request) -> web.Response:
    """Give a delivery up; the scan stays."""
    denied = await context.services(request).ledger.discard(*_which(request), peer=context.peer(request))
    return problems.response(denied) if denied else done()


def _which(request: web.Request) -> tuple[AccountId, DeliveryId]:
    return context.visitor(request).account.id, DeliveryId(request.match_info["id"])
