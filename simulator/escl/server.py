"""The HTTP of an eSCL unit: which request means what, and what it is answered. aiohttp; loopback only.

What a client does wrong goes to `scanner.errors`, whether or not it is refused.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from uuid import NAMESPACE_URL, uuid5

from aiohttp import hdrs, web

from simulator.escl import replies, wire
from simulator.escl.feeding import Pages, adf_state
from simulator.escl.images import clipped
from simulator.escl.jobs import Event, Job, Jobs
from simulator.escl.listener import Listener
from simulator.escl.offer import Offer
from simulator.escl.quirks import Location, Quirks
from simulator.escl.sending import CutOff, Sender
from simulator.escl.wire import Source
from simulator.fleet import Escl
from simulator.scanner import VirtualScanner

_XML = "text/xml"
_XML_TYPES = frozenset({_XML, "application/xml"})
_REMEMBERED = 10_000  # requests
_LONGEST_COMPLAINT = 200
_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class EsclServer:
    """One unit's eSCL service. `start`, then `url`; `close` at the end. `quirks` may be changed as it runs.

    `requests` holds a line for each: "POST ScanJobs 201". `now_s`: the clock of its jobs. `on_change` is called when
    its UUID or address has changed.
    """

    def __init__(
        self,
        scanner: VirtualScanner,
        spec: Escl,
        quirks: Quirks | None = None,
        *,
        now_s: Callable[[], float] | None = None,
    ) -> None:
        self.scanner = scanner
        self.spec = spec
        self.quirks = quirks or Quirks()
        self.offer = Offer(scanner, spec)
        self.uuid = spec.uuid or str(uuid5(NAMESPACE_URL, f"scanner:{scanner.id}:{scanner.spec.serial}"))
        self.on_change: list[Callable[[], None]] = []
        self.requests: deque[str] = deque(maxlen=_REMEMBERED)
        self._now_s = now_s or asyncio.get_running_loop().time
        self._jobs = Jobs()
        self._pages = Pages(scanner, self._now_s)
        self._sender = Sender(scanner, self._pages)
        self._listener = Listener(self._app(), spec.address, self.offer.name, secure=spec.tls)
        scanner.on_plug.append(self._switched)
        scanner.on_air.append(self._switched)

    @property
    def url(self) -> str:
        """Return the base address, without a slash at its end."""
        return f"{self._listener.origin}/{self.quirks.root}"

    @property
    def address(self) -> tuple[str, int]:
        """Return where it listens: host and port, 0 before `start`."""
        return self._listener.address, self._listener.port

    async def start(self) -> None:
        """Listen; OSError if the port is taken."""
        await self._listener.start(self.spec.port)

    async def close(self) -> None:
        """Stop listening and cut every connection."""
        await self._listener.close()

    def rename(self, uuid: str) -> None:
        """Take another UUID, as after a reset to factory settings."""
        self.uuid = uuid
        self._tell()

    async def move(self, address: str) -> None:
        """Get another address in 127.0.0.0/8, as from DHCP, with the same port; open connections are cut."""
        await self._listener.move(address)
        self._tell()

    async def renew_certificate(self) -> None:
        """Take a new key and certificate; open connections are cut. RuntimeError without TLS."""
        await self._listener.renew()

    def _tell(self) -> None:
        for listener in self.on_change:
            listener()

    def _app(self) -> web.Application:
        base = f"/{self.quirks.root}"
        app = web.Application(client_max_size=wire.MAX_BODY_BYTES, middlewares=[self._guarded])
        app.add_routes(
            [
                web.get(f"{base}/ScannerCapabilities", self._capabilities),
                web.get(f"{base}/ScannerStatus", self._status),
                web.post(f"{base}/ScanJobs", self._new_job),
                web.get(f"{base}/ScanJobs/{{id}}/NextDocument", self._next_document),
                web.get(f"{base}/ScanJobs/{{id}}/ScanImageInfo", self._image_info),
                web.delete(f"{base}/ScanJobs/{{id}}", self._delete),
            ]
        )
        return app

    @web.middleware
    async def _guarded(self, request: web.Request, handler: _Handler) -> web.StreamResponse:
        """Answer nothing without power; forget jobs that nobody asks for; keep the record."""
        what = f"{request.method} {request.path.rsplit('/', 1)[-1] if request.method != hdrs.METH_DELETE else 'job'}"
        try:
            if not self.scanner.on_net:
                raise CutOff("off the net")
            self._expire()
            answer = await handler(request)
        except CutOff as cut:
            self.requests.append(f"{what} cut off")
            if request.transport is not None:
                request.transport.abort()
            raise ConnectionResetError(str(cut)) from None
        except web.HTTPException as refusal:
            self.requests.append(f"{what} {refusal.status}")
            raise
        self.requests.append(f"{what} {answer.status}")
        return answer

    # --- what it is

    async def _capabilities(self, _request: web.Request) -> web.Response:
        quirks = self.quirks
        about = self.offer.about(self.uuid, quirks.prefixes, resolution_range=quirks.resolution_range)
        return web.Response(body=replies.capabilities(about), content_type=_XML)

    async def _status(self, _request: web.Request) -> web.Response:
        active, now_s = self._jobs.active, self._now_s()
        adf = adf_state(self.scanner, active, self.quirks) if self.spec.adf else None
        rows = [(job, self._path(job), int(now_s - job.born_s)) for job in self._jobs]
        body = replies.status("Processing" if active else "Idle", adf, rows, self.quirks.prefixes)
        return web.Response(body=body, content_type=_XML)

    # --- jobs

    async def _new_job(self, request: web.Request) -> web.Response:
        if request.content_type not in _XML_TYPES:
            self.scanner.violation(f"a job in {request.content_type}")
            return web.Response(status=415)
        try:
            settings = wire.parse_settings(await request.read())
        except wire.WireError as error:
            self.scanner.violation(f"a job that is refused: {error}")
            return web.Response(status=400)
        except web.HTTPRequestEntityTooLarge:
            self.scanner.violation("a job of too many bytes")
            raise
        source = self.offer.source(settings)
        size = self.offer.size(source)
        complaints = self.offer.complaints(settings, resolution_range=self.quirks.resolution_range)
        for complaint in complaints:
            self.scanner.violation(f"job: {complaint}"[:_LONGEST_COMPLAINT])
        if complaints or size is None:
            return web.Response(status=409)
        if self._jobs.active is not None:
            return self._refused(self.quirks.full)
        if self.quirks.empty_at_post and source is Source.FEEDER and not self.scanner.sheets:
            return self._refused(self.quirks.empty_at_post)
        now_s = self._now_s()
        job = Job(settings, source, clipped(settings.region, size), now_s, now_s)
        self._jobs.add(job)
        self.scanner.note(f"job from {source}: {settings.dpi} dpi, {settings.colour}")
        return web.Response(status=201, headers={hdrs.LOCATION: self._location(job)})

    async def _next_document(self, request: web.Request) -> web.StreamResponse:
        job = self._job(request)
        if job.sending:
            self.scanner.violation("a page is asked for while one is sent")
            return web.Response(status=409)
        if self._now_s() < job.ask_again_s:
            self.scanner.violation("asked again before the time that Retry-After named")
        job.happens(Event.ASKED)
        if not job.active:
            return web.Response(status=self.quirks.end)
        if trouble := self._pages.provide(job, self.quirks):
            return self._refused(trouble, job)
        if not await self._pages.ready(job, patient=self.quirks.blocking):
            return self._refused(503, job)
        job.heard_s = self._now_s()
        return await self._sender.send(request, job, chunked=self.quirks.chunked)

    async def _image_info(self, request: web.Request) -> web.Response:
        job = self._job(request)
        shown = job.waiting[0] if job.waiting else job.last
        if shown is None:
            return web.Response(status=404)
        view = shown.view
        body = replies.image_info(self._path(job), job.id, view.width_px, view.height_px, shown.row_bytes)
        return web.Response(body=body, content_type=_XML)

    async def _delete(self, request: web.Request) -> web.Response:
        self._pages.end(self._job(request), Event.CANCELLED)
        return web.Response()

    def _job(self, request: web.Request) -> Job:
        job = self._jobs.find(request.match_info["id"])
        if job is None:
            self.scanner.note("an unknown job is asked for")
            raise web.HTTPNotFound
        job.heard_s = self._now_s()
        return job

    def _expire(self) -> None:
        job = self._jobs.active
        if job is not None and not job.sending and self._now_s() - job.heard_s > self.quirks.job_life_s:
            self.scanner.violation("a job was left open: neither fetched to its end nor deleted")
            self._pages.end(job, Event.EXPIRED)

    def _switched(self) -> None:
        """Without power every job is lost."""
        if not (self.scanner.powered and (self.scanner.plugged or self.scanner.spec.usb)):
            self._jobs = Jobs()

    def _refused(self, status: int, job: Job | None = None) -> web.Response:
        answer = web.Response(status=status)
        if status == 503 and self.quirks.retry_after_s is not None:
            answer.headers[hdrs.RETRY_AFTER] = str(self.quirks.retry_after_s)
            if job is not None:
                job.ask_again_s = self._now_s() + self.quirks.retry_after_s
        return answer

    def _path(self, job: Job) -> str:
        return f"/{self.quirks.root}/ScanJobs/{job.id}"

    def _location(self, job: Job) -> str:
        origins = {
            Location.ABSOLUTE: self._listener.origin,
            Location.RELATIVE: "",
            Location.FOREIGN: f"{self._listener.scheme}://192.0.2.7:8080",  # RFC 5737: nobody's
            Location.BARE_IPV6: f"{self._listener.scheme}://fe80::280:92ff:fe01:203:{self._listener.port}",
        }
        return origins[self.quirks.location] + self._path(job)
