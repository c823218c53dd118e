"""What an owner looks at, downloads or deletes. The only way by which a page is opened for eyes and not for delivery.

It stands on the keys that the very session holds: a session that did not pass the code holds none, and loses them the
moment it ends, in the middle of a download too. Nothing opened is written to a disk; small pictures stay in memory for
as long as the session.
"""

import asyncio
import logging
from collections import Counter, OrderedDict
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from gateway.clock import Clock
from gateway.core.delivery import document_name
from gateway.core.model import AccountId, PageFile, Scan, ScanId, Session, SessionId
from gateway.documents.assemble import DamagedPage
from gateway.documents.worker import EncodeError, Picture, Worker
from gateway.store.spool import Spool
from gateway.store.store import Store
from gateway.vault.keyring import Keyring, NotOpen
from gateway.vault.seal import BrokenSeal
from gateway.work.hub import Hub
from gateway.work.outcomes import NOT_FOUND, Denied, sentence
from gateway.work.record import entry
from gateway.work.render import Renderer

THUMBNAIL_PX = 320  # the longest side: enough to know a letter again, too little to read it
AT_ONCE = 3  # copies of one account on their way: each holds a thread, and there are eight
_KEPT = 500  # small pictures in memory, of 10 kB or so

SEALED = Denied("sealed", "This session cannot open the scan: sign in with password and authentication code.", 409)
SCAN_BUSY = Denied("scan_busy", "The scan is being received or sent. Try again in a moment.", 409)
TOO_MANY_COPIES = Denied("too_many_copies", f"{AT_ONCE} downloads at once are the limit: wait for one to end.", 429, 5)
CANNOT_BE_OPENED = (BrokenSeal, DamagedPage, EncodeError)
"""What is wrong with a page, or with what was made of it."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Copy:
    """What leaves: `byte_count` bytes in `chunks`, which raises NotOpen when the session ends before they are out."""

    name: str
    media_type: str
    byte_count: int
    chunks: AsyncIterator[bytes]


class Reading:
    """Every call names the session, and opens only what belongs to its account."""

    def __init__(
        self,
        *,
        clock: Clock,
        store: Store,
        spool: Spool,
        keyring: Keyring,
        renderer: Renderer,
        worker: Worker,
        hub: Hub,
    ) -> None:
        self._clock = clock
        self._store = store
        self._spool = spool
        self._keyring = keyring
        self._renderer = renderer
        self._worker = worker
        self._hub = hub
        self._small: OrderedDict[tuple[SessionId, str], Picture] = OrderedDict()
        self._copies: Counter[AccountId] = Counter()
        keyring.when_dropped(self._forget)

    def opens(self, session: Session) -> bool:
        """Tell whether a session holds the keys of its account's scans."""
        return self._keyring.holds(session.id)

    async def pages(self, account: AccountId, scan_id: ScanId) -> tuple[PageFile, ...] | Denied:
        """Return what is known of a scan's pages, in their order, without opening one."""
        scan = await self._scan(account, scan_id)
        return NOT_FOUND if scan is None else await self._store.scans.pages(scan.id)

    async def thumbnail(self, session: Session, scan_id: ScanId, number: int) -> Picture | Denied:
        """Return a small picture of a page; `number` counts the sides that were kept, from 1."""
        found = await self._page(session, scan_id, number)
        if isinstance(found, Denied):
            return found
        key = session.id, found[1].path
        if key not in self._small:
            try:
                self._small[key] = await self._picture(session, found[1], THUMBNAIL_PX)
            except (NotOpen, *CANNOT_BE_OPENED) as error:
                return _denied(error, scan_id)
        return self._kept(key)

    def _kept(self, key: tuple[SessionId, str]) -> Picture:
        self._small.move_to_end(key)
        picture = self._small[key]
        if not self._keyring.holds(key[0]):  # it ended while the picture was made
            del self._small[key]
        while len(self._small) > _KEPT:
            self._small.popitem(last=False)
        return picture

    def _forget(self, session: SessionId) -> None:
        for key in [key for key in self._small if key[0] == session]:
            del self._small[key]

    @asynccontextmanager
    async def page(self, session: Session, scan_id: ScanId, number: int, *, peer: str) -> AsyncIterator[Copy | Denied]:
        """Give one page as the scanner sent it (what no browser shows: as a picture), for as long as the block runs."""
        found = await self._page(session, scan_id, number)
        if isinstance(found, Denied):
            yield found
            return
        with self._turn(session.account) as refused:
            yield refused or await self._page_copy(session, *found, number, peer)

    async def _page_copy(self, session: Session, scan: Scan, row: PageFile, number: int, peer: str) -> Copy | Denied:
        name = f"{document_name(scan).removesuffix('.pdf')} {number}"
        try:
            if row.media_type == "image/jpeg":
                await self._renderer.verify(row)
                copy = Copy(f"{name}.jpg", row.media_type, row.byte_count, self._opened(session, row))
            else:
                picture = await self._picture(session, row, 0)
                ending = picture.media_type.removeprefix("image/").replace("jpeg", "jpg")
                copy = Copy(f"{name}.{ending}", picture.media_type, len(picture.data), _once(picture.data))
        except (NotOpen, *CANNOT_BE_OPENED) as error:
            return _denied(error, scan.id)
        await self._note(session, peer, f"{scan.id}, page {number}")
        return copy

    @asynccontextmanager
    async def document(self, session: Session, scan_id: ScanId, *, peer: str) -> AsyncIterator[Copy | Denied]:
        """Give a scan's document as it is delivered, for as long as the block runs."""
        scan = await self._openable(session, scan_id)
        if isinstance(scan, Denied):
            yield scan
            return
        with self._turn(session.account) as refused:
            async with AsyncExitStack() as stack:
                yield refused or await self._document_copy(stack, session, scan, peer)

    async def _document_copy(self, stack: AsyncExitStack, session: Session, scan: Scan, peer: str) -> Copy | Denied:
        if not await self._store.scans.pages(scan.id):
            return NOT_FOUND
        name = document_name(scan)
        assembling = self._renderer.assembled(scan.id, name, partial(self._pour, session))
        try:
            document, _ = await stack.enter_async_context(assembling)
        except (NotOpen, *CANNOT_BE_OPENED) as error:
            return _denied(error, scan.id)
        await self._note(session, peer, scan.id)
        return Copy(name, "application/pdf", document.byte_count, document.stream())

    async def delete(self, account: AccountId, scan_id: ScanId, *, peer: str) -> Denied | None:
        """Delete a scan with its pages, also what was not delivered yet; what destinations have stays there."""
        scan = await self._scan(account, scan_id)
        if scan is None:
            return NOT_FOUND
        audit = entry(self._clock.now(), account, peer, "scan_deleted", reason=scan_id)
        if not await self._store.erasures.begin(scan_id, audit):
            return SCAN_BUSY
        self._hub.tell(account, "scans")
        try:
            await asyncio.to_thread(self._spool.erase, scan_id)
        except OSError:
            log.exception("%s: its files go with the next round", scan_id)
        else:
            await self._store.erasures.done(scan_id)
        return None

    async def _note(self, session: Session, peer: str, what: str) -> None:
        now = self._clock.now()
        audit = entry(now, session.account, peer, "scan_downloaded", reason=what, session=session.id)
        await self._store.audit.append(audit)

    async def _scan(self, account: AccountId, scan_id: ScanId) -> Scan | None:
        scan = await self._store.scans.get(scan_id)
        return scan if scan is not None and scan.account == account else None

    async def _openable(self, session: Session, scan_id: ScanId) -> Scan | Denied:
        scan = await self._scan(session.account, scan_id)
        if scan is None:
            return NOT_FOUND
        return scan if self.opens(session) else SEALED

    async def _page(self, session: Session, scan_id: ScanId, number: int) -> tuple[Scan, PageFile] | Denied:
        scan = await self._openable(session, scan_id)
        if isinstance(scan, Denied):
            return scan
        rows = await self._store.scans.pages(scan.id)
        return (scan, rows[number - 1]) if 1 <= number <= len(rows) else NOT_FOUND

    @contextmanager
    def _turn(self, account: AccountId) -> Iterator[Denied | None]:
        """Let only so many copies of one account be on their way."""
        if self._copies[account] >= AT_ONCE:
            yield TOO_MANY_COPIES
            return
        self._copies[account] += 1
        try:
            yield None
        finally:
            self._copies[account] -= 1
            if not self._copies[account]:
                del self._copies[account]

    async def _picture(self, session: Session, row: PageFile, longest_px: int) -> Picture:
        await self._renderer.verify(row)
        return await self._worker.picture(
            self._opened(session, row), media_type=row.media_type, height_px=row.height_px, longest_px=longest_px
        )

    def _opened(self, session: Session, row: PageFile) -> AsyncIterator[bytes]:
        return self._pour(session, row, self._spool.absolute(row.path))

    def _pour(self, session: Session, row: PageFile, path: Path) -> AsyncIterator[bytes]:
        return self._keyring.read(session.id, row.account, path)


async def _once(data: bytes) -> AsyncIterator[bytes]:
    yield data


def _denied(error: Exception, scan_id: ScanId) -> Denied:
    if isinstance(error, NotOpen):
        return SEALED
    log.warning("%s cannot be opened: %s", scan_id, error)
    return Denied("page_damaged", f"The scan cannot be opened: {sentence(error)}", 409)
