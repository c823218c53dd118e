"""The owner's word on single deliveries, from the page of their scan."""

from aiohttp import web

from gateway.core.model import AccountId, DeliveryId, DestinationId, ScanId
from gateway.web import context, problems
from gateway.web.origins import posted
from gateway.work.outcomes import Denied


async def send(request: web.Request) -> web.Response:
    """Send a scan to a destination, once more if it has been there."""
    scan_id, form = ScanId(request.match_info["id"]), await posted(request)
    account, ledger = context.visitor(request).account.id, context.services(request).ledger
    destination = DestinationId(form.get("destination", ""))
    sent = await ledger.resend(account, scan_id, destination, peer=context.peer(request))
    if isinstance(sent, Denied):
        return problems.render_for(request, sent)
    return context.see(f"/scans/{scan_id}?done=sent")


async def retry(request: web.Request) -> web.Response:
    """Try a failed or uncertain delivery again."""
    return _said(request, await context.services(request).ledger.retry(*_which(request), peer=context.peer(request)))


async def confirm(request: web.Request) -> web.Response:
    """Take an uncertain delivery as delivered."""
    return _said(request, await context.services(request).ledger.confirm(*_which(request), peer=context.peer(request)))


async def discard(request: web.Request) -> web.Response:
    """Give a delivery up."""
    return _said(request, await context.services(request).ledger.discard(*_which(request), peer=context.peer(request)))


def _which(request: web.Request) -> tuple[AccountId, DeliveryId]:
    return context.visitor(request).account.id, DeliveryId(request.match_info["id"])


def _said(request: web.Request, denied: Denied | None) -> web.Response:
    return problems.render_for(request, denied) if denied else context.see("/?done=retried")
