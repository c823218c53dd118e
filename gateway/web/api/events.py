"""The stream of hints (server-sent events): which topic changed, never what. It lives only as its session does."""

import asyncio
import contextlib

from aiohttp import web

from gateway.web import context
from gateway.web.api import queries
from gateway.web.context import TOKEN
from gateway.web.route import SIGNED_IN

CHECK_S = 0.5  # a stream closes within 1 s of its session's end
BEAT_CHECKS = 30  # a comment now and then shows both ends whether the other still lives

STREAMS = web.AppKey("streams", set[asyncio.Task[None]])


async def stream(request: web.Request) -> web.StreamResponse:
    """Send topics until the session ends or locks, the daemon stops, or the reader goes."""
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "X-Accel-Buffering": "no"})
    await response.prepare(request)
    pumping = asyncio.create_task(_pump(request, response), name="event stream")
    request.app[STREAMS].add(pumping)
    try:
        await asyncio.wait({pumping})
    finally:
        request.app[STREAMS].discard(pumping)
        pumping.cancel()
        with contextlib.suppress(asyncio.CancelledError, ConnectionError):
            await pumping
    return response


async def _pump(request: web.Request, response: web.StreamResponse) -> None:
    rooms, account = context.services(request), context.visitor(request).account.id
    quiet, since = 0, queries.since(request)
    async with rooms.hub.subscribe(account, since) as topics:
        await response.write(b"retry: 2000\n\n")
        while True:
            topic = await _next(topics)
            end = await _end(request)
            if end:
                await _send(response, end)
                return
            if topic:
                await _send(response, topic)
            quiet = 0 if topic else quiet + 1
            if quiet >= BEAT_CHECKS:
                quiet = 0
                await response.write(b": alive\n\n")


async def _next(topics: asyncio.Queue[str]) -> str:
    try:
        async with asyncio.timeout(CHECK_S):
            return await topics.get()
    except TimeoutError:
        return ""


async def _end(request: web.Request) -> str:
    """Return why the stream must end now, or ""; asking is no activity."""
    known = await context.services(request).sessions.whois(request[TOKEN], acts=False)
    if known is None or known.session.level not in SIGNED_IN:
        return "ended"
    return "locked" if known.locked else ""


async def _send(response: web.StreamResponse, topic: str) -> None:
    await response.write(f"event: {topic}\ndata: {{}}\n\n".encode())


async def stop(app: web.Application) -> None:
    """End every stream: the daemon stops."""
    streams = app[STREAMS]
    for task in tuple(streams):
        task.cancel()
