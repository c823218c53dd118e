"""Pages and documents as they leave to a browser or a program: attachments in a sandbox, never stored on the way."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from urllib.parse import quote

from aiohttp import web

from gateway.core.model import ScanId
from gateway.documents.streams import closing
from gateway.vault.keyring import NotOpen
from gateway.web import context, problems
from gateway.web.pages.forms import number
from gateway.work.outcomes import Denied
from gateway.work.reading import CANNOT_BE_OPENED, Copy

PATIENCE_S = 60.0  # a browser that takes nothing for so long is gone, and others wait for its turn
_SANDBOX = {"Content-Security-Policy": "sandbox; default-src 'none'"}

log = logging.getLogger(__name__)


async def thumbnail(request: web.Request) -> web.Response:
    """Return a small picture of a page, no side longer than 320 pixels."""
    reading, session = context.services(request).reading, context.visitor(request).session
    made = await reading.thumbnail(session, _scan(request), _number(request))
    if isinstance(made, Denied):
        return problems.render_for(request, made)
    headers = _SANDBOX | {"Content-Type": made.media_type, "Content-Disposition": "attachment"}
    return web.Response(body=made.data, headers=headers)


async def page(request: web.Request) -> web.StreamResponse:
    """Download a page as the scanner sent it, or as a picture if no browser shows that."""
    reading, session = context.services(request).reading, context.visitor(request).session
    return await _send(request, reading.page(session, _scan(request), _number(request), peer=context.peer(request)))


async def document(request: web.Request) -> web.StreamResponse:
    """Download a scan's document as it is delivered."""
    reading, session = context.services(request).reading, context.visitor(request).session
    return await _send(request, reading.document(session, _scan(request), peer=context.peer(request)))


def _scan(request: web.Request) -> ScanId:
    return ScanId(request.match_info["id"])


def _number(request: web.Request) -> int:
    return number(request.match_info["page"])


async def _send(request: web.Request, opening: AbstractAsyncContextManager[Copy | Denied]) -> web.StreamResponse:
    async with opening as copy:
        if isinstance(copy, Denied):
            return problems.render_for(request, copy)
        answer = web.StreamResponse(headers=_SANDBOX | {"Content-Disposition": attachment(copy.name)})
        answer.content_type, answer.content_length = copy.media_type, copy.byte_count
        async with closing(copy.chunks) as chunks:
            await _pour(request, answer, copy.name, chunks)
        return answer


async def _pour(request: web.Request, answer: web.StreamResponse, name: str, chunks: AsyncIterator[bytes]) -> None:
    """Send all of it, or break the connection off: half a document must not look like a whole one."""
    try:
        await answer.prepare(request)
        async for chunk in chunks:
            await _write(answer, chunk)
        await answer.write_eof()
    except ConnectionError:
        log.info("nobody takes %s any more", name)
    except (NotOpen, TimeoutError, *CANNOT_BE_OPENED) as error:
        log.warning("a download of %s was broken off: %s", name, error or "it is not taken")
        if request.transport is not None:
            request.transport.abort()


async def _write(answer: web.StreamResponse, chunk: bytes) -> None:
    async with asyncio.timeout(PATIENCE_S):
        await answer.write(chunk)


def attachment(name: str) -> str:
    """Return the Content-Disposition of a file to be saved (RFC 6266, 5), in ASCII and in full."""
    plain = "".join(c if c.isascii() and c.isprintable() and c not in '"\\%' else "-" for c in name)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"
