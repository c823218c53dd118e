"""Sweeps. At every start: what a crash left half done. Then, now and again: what is over."""

import asyncio
import logging
import uuid
from dataclasses import replace
from datetime import timedelta

from gateway.clock import Clock
from gateway.core import scan as scans
from gateway.core import session as sessions
from gateway.core.model import Account, Instant, PageFile, Scan, ScanId, ScanState, SessionId
from gateway.settings import History
from gateway.store.spool import SealedFile, Spool
from gateway.store.store import Store
from gateway.vault.device import DeviceKey
from gateway.work import devices
from gateway.work.enroll import Enroll
from gateway.work.hub import Hub
from gateway.work.manifest import page_mac
from gateway.work.paused import finish
from gateway.work.record import entry
from gateway.work.sessions import Sessions
from gateway.work.timekeeper import Timekeeper
from gateway.work.units import Units

ROUND_S = 10.0  # a session that is over must not keep keys in memory much longer
LATE = "Pages that were found after their document had been made without them."
_TALLIES_SPAN = timedelta(days=2)  # the longest rule looks back a day
_OPEN = frozenset({ScanState.RECEIVING, ScanState.PAUSED})
RESTARTED = "The gateway was restarted while this was scanned."

log = logging.getLogger(__name__)


class Janitor:
    """Puts right what was left, at the start and every few seconds."""

    def __init__(
        self,
        *,
        clock: Clock,
        store: Store,
        spool: Spool,
        device: DeviceKey,
        sessions: Sessions,
        enroll: Enroll,
        timekeeper: Timekeeper,
        units: Units,
        history: History,
        hub: Hub,
    ) -> None:
        self._clock = clock
        self._store = store
        self._spool = spool
        self._device = device
        self._desk = sessions
        self._enroll = enroll
        self._timekeeper = timekeeper
        self._units = units
        self._history = history
        self._hub = hub

    async def start(self) -> None:
        """End the sessions that did not outlive the restart, adopt sealed files without rows; before all else."""
        now = self._clock.now()
        await self._timekeeper.start()
        await self._desk.start()
        await self._erase()
        await asyncio.to_thread(self._spool.sweep_temps)
        late: dict[ScanId, Scan] = {}
        for sealed in await asyncio.to_thread(lambda: list(self._spool.sealed_files())):
            await self._adopt(sealed, late)
        for scan in late.values():
            paused = scans.step(scan.state, scans.Event.FAULT)
            await self._store.scans.move(scan.id, scan.state, paused, at=now.utc, reason=LATE)
            found = await self._store.scans.get(scan.id)
            if found is not None:
                await finish(self._store, self._hub, found, now.utc)
        for scan in await self._store.scans.in_state(ScanState.RECEIVING):
            state_after = scans.step(scan.state, scans.Event.FAULT)
            await self._store.scans.move(scan.id, scan.state, state_after, at=now.utc, reason=RESTARTED)

    async def _adopt(self, sealed: SealedFile, late: dict[ScanId, Scan]) -> None:
        """Give a complete sealed file its row back, if its MAC says that it is ours.

        Where its scan went on without it, it becomes a scan of its own, one per scan in `late`.
        """
        scan = await self._store.scans.get(sealed.scan)
        if scan is None or await self._store.scans.has_page_path(sealed.path):
            return
        row = await asyncio.to_thread(self._row, scan, sealed)
        if page_mac(self._device, row) != sealed.mac:
            log.error("%s: its MAC does not match; left where it is", sealed.path)
            return
        taken = {(page.number, page.side) for page in await self._store.scans.pages(scan.id)}
        if scan.state not in _OPEN or (row.number, row.side) in taken:
            row = await self._moved(row, scan, late)
        await self._store.scans.add_page(row)
        log.info("adopted %s", sealed.path)

    async def _moved(self, row: PageFile, scan: Scan, late: dict[ScanId, Scan]) -> PageFile:
        """Return the row as that of a page of another scan, begun when needed."""
        if scan.id not in late:
            late[scan.id] = replace(scan, id=ScanId(uuid.uuid4().hex), state=ScanState.RECEIVING, page_count=0)
            await self._store.scans.begin(late[scan.id])
        moved = replace(row, scan=late[scan.id].id)
        return replace(moved, mac=page_mac(self._device, moved))

    def _row(self, scan: Scan, sealed: SealedFile) -> PageFile:
        return PageFile(
            scan=scan.id,
            account=scan.account,
            unit=scan.unit,
            number=sealed.number,
            side=sealed.side,
            media_type=sealed.facts.media_type,
            width_px=sealed.facts.width_px,
            height_px=sealed.facts.height_px,
            resolution_dpi=sealed.facts.resolution_dpi,
            byte_count=sealed.facts.byte_count,
            components=sealed.facts.components,
            colour=sealed.facts.colour,
            path=sealed.path,
            sealed_sha256=self._spool.adopted(sealed.path),
            mac=sealed.mac,
            arrived_at=self._clock.now().utc,
        )

    async def run(self) -> None:
        """Go round until cancelled."""
        while True:
            await self._paused()
            await self._sessions()
            await self._enroll.sweep()
            await self._timekeeper.note()
            await self._old()
            await self._purge()
            await self._retire()
            await self._erase()
            await asyncio.sleep(ROUND_S)

    async def _paused(self) -> None:
        now = self._clock.now().utc
        for scan in await self._store.scans.in_state(ScanState.PAUSED):
            if scan.paused_at is not None and now - scan.paused_at >= scans.RESUME_SPAN:
                await finish(self._store, self._hub, scan, now)

    async def _sessions(self) -> None:
        now = self._clock.now()
        for account in await self._store.accounts.all():
            over = await self._over(account, now)
            if over:
                # An enrolment between those two readings looks like that too: read both once more.
                now_so = await self._store.accounts.get(account.id) or account
                over = tuple(session for session in await self._over(now_so, now) if session in over)
            if over:
                audit = entry(now, account.id, "", "session_ended", reason="time")
                await self._store.sessions.end(over, audit)
                self._desk.over(account.id, over)

    async def _over(self, account: Account, now: Instant) -> tuple[SessionId, ...]:
        """Return the sessions of an account that do not live any more."""
        live = await self._store.sessions.of_account(account.id)
        return tuple(s.id for s in live if not sessions.lives(s, account, now))

    async def _purge(self) -> None:
        """Let go of accounts whose days of grace are over."""
        now = self._clock.now()
        for account in await self._store.accounts.all():
            if account.deletes_at is not None and now.utc >= account.deletes_at:
                for unit in await self._store.units.of_account(account.id):
                    await self._units.force_out(unit.id, peer="")
                audit = entry(now, account.id, "", "account_purged")
                self._desk.over(account.id, await self._store.accounts.purge(account.id, audit))

    async def _retire(self) -> None:
        """Let go of the pages of scans that were delivered long enough ago, by a clock that can be trusted."""
        if self._timekeeper.refusal() is not None:
            return
        now = self._clock.now()
        by = now.utc - timedelta(days=self._history.days)
        for account, scan in await self._store.erasures.retirable(by):
            if await self._store.erasures.retire(scan, by, entry(now, account, "", "scan_erased", reason=scan)):
                self._hub.tell(account, "scans")

    async def _erase(self) -> None:
        """Remove the sealed files of scans that are forgotten."""
        for scan in await self._store.erasures.due():
            await asyncio.to_thread(self._spool.erase, scan)
            await self._store.erasures.done(scan)

    async def _old(self) -> None:
        """Forget what no rule looks at any more."""
        now = self._clock.now().utc
        await self._store.throttles.prune(now - _TALLIES_SPAN)
        await self._store.devices.prune(now - devices.SPAN)
