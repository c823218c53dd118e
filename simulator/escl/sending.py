"""One page on its way to the client, and what may befall it. aiohttp's response; no jobs table."""

import asyncio
import hashlib

from aiohttp import web

from simulator.escl.feeding import Pages
from simulator.escl.images import Document, jpeg
from simulator.escl.jobs import Event, Job
from simulator.escl.wire import JPEG
from simulator.faults import IN_THE_PATH, Fault, FaultKind
from simulator.scanner import Delivered, VirtualScanner

_PIECE_BYTES = 64 * 1024
# The connection breaks in mid-page: by itself, with the power, or with the Wi-Fi.
_POWER = frozenset({FaultKind.UNPLUG, FaultKind.UNPLUG_MID_PAGE})
_CUTS = _POWER | {FaultKind.STALL, FaultKind.SHORT_REPLY, FaultKind.WIFI_DROP}


class CutOff(Exception):
    """The connection breaks here."""


class Sender:
    """Sends the pages of a unit, one after another."""

    def __init__(self, scanner: VirtualScanner, pages: Pages) -> None:
        self._scanner = scanner
        self._pages = pages
        self._lab = asyncio.Lock()  # one image at a time, lest two of 600 dpi lie in memory

    async def send(self, request: web.Request, job: Job, *, chunked: bool) -> web.StreamResponse:
        """Send the first waiting page of a job. It waits on if the connection breaks before its last byte.

        CutOff where a fault breaks it. Recorded as delivered just before the last piece leaves.
        """
        document = job.waiting[0]
        job.sending = True
        try:
            async with self._lab:
                body = await asyncio.to_thread(jpeg, document)
            fault = self._scanner.due(document.side)
            if fault is not None:
                self._scanner.played(fault)
            if fault is not None and (answer := await self._before(fault, job)) is not None:
                return answer
            if fault is not None and fault.kind is FaultKind.TRUNCATED_JPEG:
                body = body[: len(body) // 2]
            if not job.waiting:  # taken back while it was drawn
                return web.Response(status=404)
            return await self._transfer(request, job, body, fault, chunked=chunked)
        finally:
            job.sending = False

    async def _before(self, fault: Fault, job: Job) -> web.Response | None:
        """Play a fault that comes before the first byte; the answer, if that is all there will be."""
        if fault.kind is FaultKind.SLOW:
            await asyncio.sleep(fault.delay_s)
        if fault.kind is FaultKind.BUSY:
            return web.Response(status=503)
        if fault.kind in IN_THE_PATH:
            self._scanner.block(fault.kind)
            self._pages.end(job, Event.FAILED)
            return web.Response(status=409)
        return None

    async def _transfer(
        self, request: web.Request, job: Job, body: bytes, fault: Fault | None, *, chunked: bool
    ) -> web.StreamResponse:
        document = job.waiting[0]
        answer = web.StreamResponse(headers={"Content-Type": JPEG})
        if chunked:
            answer.enable_chunked_encoding()
        else:
            answer.content_length = len(body)
        await answer.prepare(request)
        pieces = [body[at : at + _PIECE_BYTES] for at in range(0, len(body), _PIECE_BYTES)]
        cuts = fault is not None and fault.kind in _CUTS
        for piece in pieces[: len(pieces) // 2] if cuts else pieces[:-1]:
            await answer.write(piece)
        if fault is not None and cuts:
            self._cut(fault)
        self._took(job, document, body)
        await answer.write(pieces[-1])
        await answer.write_eof()
        return answer

    def _cut(self, fault: Fault) -> None:
        if fault.kind in _POWER:
            self._scanner.power_off()
        if fault.kind is FaultKind.WIFI_DROP:
            self._scanner.drop_wifi()
        raise CutOff(f"{fault.kind} in mid-page")

    def _took(self, job: Job, document: Document, body: bytes) -> None:
        """Record a page and go on to the next; a job that was taken back meanwhile has no pages."""
        if not job.waiting or job.waiting[0] is not document:
            return
        self._pages.taken(job)
        if document.sheet is None:
            self._scanner.note(f"the empty glass sent, {len(body)} bytes")
            return
        digest, shown = hashlib.sha256(body).hexdigest(), document
        self._scanner.record(
            Delivered(document.sheet, shown.side, digest, len(body), shown.mode, shown.dpi, shown.view)
        )
