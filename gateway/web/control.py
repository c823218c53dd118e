"""The administrator's door: a Unix socket in the runtime directory, for root and the service's own user only.

`scansnap-gateway account ...` speaks through it with the running daemon. Paths are commands, bodies are their words.
"""

import contextlib
import os
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
from aiohttp import web

from gateway.web import problems, sockets
from gateway.web.api.bodies import read, reply
from gateway.web.route import Handler
from gateway.work.admin import Admin, DeliveryLine, Issued
from gateway.work.outcomes import Denied

NAME = "control.sock"
NOT_YOU = Denied("not_the_administrator", "This door is for root and the gateway's own user.", 403)
_CREDENTIALS = struct.Struct("3i")  # struct ucred: pid, uid, gid (unix(7))

ADMIN = web.AppKey("admin", Admin)


class Named(msgspec.Struct, forbid_unknown_fields=True):
    """An account by its e-mail address, or a unit by its id."""

    name: str
    drop_two_factor: bool = False


class Line(msgspec.Struct):
    """One line for the console."""

    text: str


class AccountRow(msgspec.Struct):
    """An account as the administrator sees it."""

    email: str
    state: str
    two_factor: str
    units: int
    sessions: int


class DeliveryRow(msgspec.Struct):
    """A delivery as the administrator sees it: what it is called, and where it stands."""

    planned_at: str
    email: str
    name: str
    destination: str
    state: str
    attempts: int
    told: str


class DeliveryRows(msgspec.Struct):
    """Deliveries, newest first."""

    items: list[DeliveryRow]


class AccountRows(msgspec.Struct):
    """All accounts."""

    items: list[AccountRow]


def _said(outcome: Denied | None, text: str) -> web.Response:
    return problems.response(outcome) if outcome else reply(Line(text))


def _issued(outcome: Issued | Denied, page: str) -> web.Response:
    if isinstance(outcome, Denied):
        return problems.response(outcome)
    hours = outcome.span.total_seconds() / 3600
    span = f"{hours:.0f} hours" if hours >= 1 else f"{hours * 60:.0f} minutes"
    return reply(Line(f"{outcome.ticket}\nfor {outcome.email}, good for {span}, once: on the gateway's page {page}"))


async def accounts(request: web.Request) -> web.Response:
    """List the accounts."""
    rows = await request.app[ADMIN].accounts()
    return reply(
        AccountRows(
            [AccountRow(r.account.email, r.account.state, r.account.two_factor, r.units, r.sessions) for r in rows]
        )
    )


async def invite(request: web.Request) -> web.Response:
    """Issue an invitation."""
    return _issued(await request.app[ADMIN].invite((await read(request, Named)).name), "/invitation")


async def reset(request: web.Request) -> web.Response:
    """Issue a reset ticket."""
    body = await read(request, Named)
    return _issued(await request.app[ADMIN].reset(body.name, drop_two_factor=body.drop_two_factor), "/reset")


async def disable(request: web.Request) -> web.Response:
    """Disable an account."""
    return _said(await request.app[ADMIN].disable((await read(request, Named)).name), "The account is disabled.")


async def enable(request: web.Request) -> web.Response:
    """Enable an account."""
    return _said(await request.app[ADMIN].enable((await read(request, Named)).name), "The account is enabled.")


async def release(request: web.Request) -> web.Response:
    """Take a unit from its owner."""
    return _said(await request.app[ADMIN].release((await read(request, Named)).name), "The unit belongs to nobody now.")


async def deliveries(request: web.Request) -> web.Response:
    """List what went where lately; of one account, or of all."""
    rows = await request.app[ADMIN].deliveries((await read(request, Named)).name)
    if isinstance(rows, Denied):
        return problems.response(rows)
    return reply(DeliveryRows([_delivery(row) for row in rows]))


def _delivery(row: DeliveryLine) -> DeliveryRow:
    it = row.delivery
    told = it.receipt.location if it.receipt else it.reason
    at = f"{it.created_at:%Y-%m-%d %H:%M:%S}"
    return DeliveryRow(at, row.email, it.name, row.destination, it.state, it.attempts, told)


async def trust_clock(request: web.Request) -> web.Response:
    """Believe the clock."""
    await request.app[ADMIN].trust_clock()
    return reply(Line("The clock is trusted from now on."))


async def verify_audit(request: web.Request) -> web.Response:
    """Verify the audit's chain."""
    outcome = await request.app[ADMIN].verify_audit()
    return (
        problems.response(outcome)
        if isinstance(outcome, Denied)
        else reply(Line(f"{outcome} rows, unbroken: none was changed, or removed from within."))
    )


COMMANDS: dict[str, Callable[[web.Request], Awaitable[web.Response]]] = {
    "/account/list": accounts,
    "/account/invite": invite,
    "/account/reset": reset,
    "/account/disable": disable,
    "/account/enable": enable,
    "/account/forced-release": release,
    "/deliveries/list": deliveries,
    "/clock/trust": trust_clock,
    "/audit/verify": verify_audit,
}


def may_enter(uid: int) -> bool:
    """Tell whether a process of this user is the administrator's."""
    return uid in (0, os.geteuid())


@web.middleware
async def _only_the_administrator(request: web.Request, handler: Handler) -> web.StreamResponse:
    connection: socket.socket | None = request.get_extra_info("socket")
    if connection is None:
        return problems.response(NOT_YOU)
    ucred = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    if not may_enter(_CREDENTIALS.unpack(ucred)[1]):
        return problems.response(NOT_YOU)
    try:
        return await handler(request)
    except problems.ProblemError as error:
        return problems.response(error.denied, error.errors)


@asynccontextmanager
async def open_door(admin: Admin, runtime: Path) -> AsyncIterator[None]:
    """Listen at the socket for as long as the block runs; without a runtime directory there is no door."""
    app = web.Application(middlewares=[_only_the_administrator], client_max_size=4096)
    app[ADMIN] = admin
    for command, handler in COMMANDS.items():
        app.router.add_post(command, handler)
    door = runtime / NAME
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        with contextlib.suppress(FileNotFoundError):
            await web.SockSite(runner, sockets.unix(door, 0o600)).start()
        yield
    finally:
        await runner.cleanup()
        sockets.clear(door)
