"""The owner's scan: each page is sealed and durable before the next one is asked for. Nothing here decodes a byte."""

import asyncio
import logging
import uuid
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future
from contextlib import aclosing
from dataclasses import replace
from datetime import datetime
from typing import BinaryIO

from drivers.errors import DriverError, PaperError, PaperFault, Refused
from drivers.port import Page, PageEnd, Profile, Scanner
from gateway.clock import Clock
from gateway.core import scan as scans
from gateway.core.model import AccountState, PageFile, Scan, ScanId, ScanState, Unit
from gateway.store.spool import Draft, PageFacts, Spool
from gateway.store.store import Store
from gateway.vault import seal
from gateway.vault.device import DeviceKey
from gateway.work.hub import Hub
from gateway.work.manifest import page_mac
from gateway.work.profile import profile
from gateway.work.room import Room

log = logging.getLogger(__name__)


class _Pull:
    """A file-like reader for the sealing thread that pulls chunks from the event loop, one at a time."""

    def __init__(self, chunks: AsyncIterator[bytes], loop: asyncio.AbstractEventLoop) -> None:
        self._chunks = chunks
        self._loop = loop
        self._rest = memoryview(b"")
        self._shut: BaseException | None = None
        self._pulling: Future[bytes] | None = None

    def read(self, size: int = -1) -> bytes:
        if not self._rest:
            self._rest = memoryview(self._next())
        part = self._rest if size < 0 else self._rest[:size]
        self._rest = self._rest[len(part) :]
        return bytes(part)

    def _next(self) -> bytes:
        if self._shut is not None:
            raise OSError("the page was abandoned") from self._shut

        async def pull() -> bytes:
            async for chunk in self._chunks:
                if chunk:
                    return chunk
            return b""

        try:
            self._pulling = asyncio.run_coroutine_threadsafe(pull(), self._loop)
            return self._pulling.result()
        except BaseException as error:
            self._shut = error
            raise

    def abandon(self) -> None:
        """Make this read and the next one fail, so that the thread ends."""
        self._shut = self._shut or OSError("the page was abandoned")
        if self._pulling is not None:
            self._pulling.cancel()

    @property
    def failure(self) -> BaseException | None:
        """Return what the scanner raised, if it did."""
        return self._shut


class Intake:
    """The desk: one scan at a time per unit."""

    def __init__(self, *, clock: Clock, store: Store, spool: Spool, room: Room, device: DeviceKey, hub: Hub) -> None:
        self._clock = clock
        self._store = store
        self._spool = spool
        self._room = room
        self._device = device
        self._hub = hub

    async def scan(self, unit: Unit, scanner: Scanner) -> None:
        """Scan until the feeder is empty; a fault pauses the scan and keeps its pages."""
        account = await self._store.accounts.get(unit.owner)
        if account is None or account.state not in (AccountState.ACTIVE, AccountState.DISABLED):
            log.warning("unit %s: its account takes no scans", unit.id)
            return
        scan = await self._open(unit)
        if refused := await self._room.refusal(account.id):
            await self._pause(scan, refused)
            return
        try:
            await self._receive(scan, account.recipient, scanner, profile(unit.settings))
        except PaperError as error:
            await self._paper(scan, error)
        except DriverError as error:
            await self._pause(scan, str(error))
            raise
        except OSError as error:
            why = f"The page could not be stored: {error.strerror or error}"
            log.exception("unit %s: %s", unit.id, why)
            await self._pause(scan, f"{why}.")
            raise Refused(why) from error
        except BaseException:
            await asyncio.shield(self._pause(scan, "the gateway stopped while scanning"))
            raise
        else:
            await self._end(scan)

    async def _open(self, unit: Unit) -> Scan:
        """Continue the unit's paused scan if the press came within 10 minutes, else begin a new one."""
        now = self._clock.now().utc
        paused = await self._store.scans.paused_on(unit.id)
        if paused is not None and paused.account == unit.owner and _fresh(paused, now - scans.RESUME_SPAN):
            state = scans.step(paused.state, scans.Event.PRESS)
            if await self._store.scans.move(paused.id, paused.state, state, at=now):
                return replace(paused, state=state)
        scan = Scan(
            id=ScanId(uuid.uuid4().hex),
            account=unit.owner,
            unit=unit.id,
            unit_label=unit.label,
            state=ScanState.RECEIVING,
            started_at=now,
            colour=unit.settings.colour,
        )
        await self._store.scans.begin(scan)
        self._hub.tell(scan.account, "scans")
        return scan

    async def _receive(self, scan: Scan, recipient: str, scanner: Scanner, profile: Profile) -> None:
        earlier = await self._store.scans.pages(scan.id)
        before = max((page.number for page in earlier), default=0)
        async with aclosing(scanner.scan(profile)) as pages:
            async for page in pages:
                await self._keep(scan, replace(page, number=before + page.number), recipient)
                self._hub.tell(scan.account, "scans")

    async def _keep(self, scan: Scan, page: Page, recipient: str) -> None:
        pull = _Pull(page.chunks, asyncio.get_running_loop())

        def write(file: BinaryIO) -> None:
            seal.seal(pull, file, recipient)

        draft = await self._draft(scan, page, write, pull)
        # A sealed page and its row belong together: whoever is cancelled here waits for both.
        recording = asyncio.ensure_future(self._record(scan, page, draft))
        try:
            await asyncio.shield(recording)
        except asyncio.CancelledError:
            await asyncio.gather(recording, return_exceptions=True)
            raise

    async def _record(self, scan: Scan, page: Page, draft: Draft) -> None:
        try:
            row = await asyncio.to_thread(self._finish, scan, page, draft, page.end())
        except BaseException:
            draft.discard()
            raise
        await self._store.scans.add_page(row)

    async def _draft(self, scan: Scan, page: Page, write: Callable[[BinaryIO], None], pull: _Pull) -> Draft:
        work = asyncio.ensure_future(asyncio.to_thread(self._spool.write, scan.id, page.number, page.side, write))
        try:
            return await asyncio.shield(work)
        except asyncio.CancelledError:
            pull.abandon()
            await asyncio.gather(work, return_exceptions=True)
            raise
        except (OSError, seal.BrokenSeal):
            if isinstance(pull.failure, DriverError):
                raise pull.failure from None
            raise

    def _finish(self, scan: Scan, page: Page, draft: Draft, end: PageEnd) -> PageFile:
        facts = PageFacts(
            page.media_type,
            end.width_px,
            end.height_px,
            end.resolution_dpi,
            end.byte_count,
            end.components,
            page.colour,
        )
        row = PageFile(
            scan=scan.id,
            account=scan.account,
            unit=scan.unit,
            number=page.number,
            side=page.side,
            media_type=page.media_type,
            width_px=end.width_px,
            height_px=end.height_px,
            resolution_dpi=end.resolution_dpi,
            byte_count=end.byte_count,
            components=end.components,
            colour=page.colour,
            path="",
            sealed_sha256=draft.sha256,
            mac="",
            arrived_at=self._clock.now().utc,
        )
        mac = page_mac(self._device, row)
        return replace(row, mac=mac, path=draft.keep(facts, mac))

    async def _end(self, scan: Scan) -> None:
        now, state = self._clock.now().utc, ScanState.RECEIVING
        await self._store.scans.move(scan.id, state, scans.step(state, scans.Event.END), at=now)
        self._hub.tell(scan.account, "scans")

    async def _paper(self, scan: Scan, error: PaperError) -> None:
        pages = await self._store.scans.pages(scan.id)
        if error.kind is PaperFault.EMPTY and not pages:
            await self._store.scans.forget_empty(scan.id)
            self._hub.tell(scan.account, "scans")
        elif error.kind is PaperFault.EMPTY:
            await self._end(scan)  # a paused scan continued with an empty feeder: that was all
        else:
            await self._pause(scan, str(error))

    async def _pause(self, scan: Scan, reason: str) -> None:
        now, state = self._clock.now().utc, ScanState.RECEIVING
        await self._store.scans.move(scan.id, state, scans.step(state, scans.Event.FAULT), at=now, reason=reason)
        self._hub.tell(scan.account, "scans")


def _fresh(scan: Scan, since: datetime) -> bool:
    return scan.paused_at is not None and scan.paused_at > since
