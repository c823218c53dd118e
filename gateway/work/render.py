"""The document of a scan: pages untouched where they are as wanted, else encoded by the worker and sealed again."""

import asyncio
import io
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import BinaryIO

from gateway.core.gate import Permit
from gateway.core.model import Delivery, PageFile, Scan, ScanId
from gateway.destinations.port import Parcel
from gateway.documents.assemble import Coding, Document, PageSource, plan
from gateway.documents.worker import Encoded, Worker
from gateway.store.spool import Draft, Spool
from gateway.store.store import Store
from gateway.vault import seal
from gateway.vault.device import DeviceKey
from gateway.vault.keyring import Keyring
from gateway.work.manifest import page_mac

Opener = Callable[[PageFile, Path], AsyncIterator[bytes]]
"""Opens what is sealed for the account of a page: the page itself, or what was made of it."""

_AS_SENT = {1: Coding.JPEG_GRAY, 3: Coding.JPEG_COLOUR}


class Renderer:
    """Turns the sealed pages of a scan into a document."""

    def __init__(self, *, store: Store, spool: Spool, device: DeviceKey, keyring: Keyring, worker: Worker) -> None:
        self._store = store
        self._spool = spool
        self._device = device
        self._keyring = keyring
        self._worker = worker

    @asynccontextmanager
    async def document(self, delivery: Delivery, permit: Permit) -> AsyncIterator[tuple[Parcel, int]]:
        """Give a delivery's document and its number of pages for as long as the block runs.

        EncodeError, BrokenSeal, NotOpen.
        """

        def opener(row: PageFile, path: Path) -> AsyncIterator[bytes]:
            return self._keyring.stream(permit, row.account, path)

        async with self.assembled(delivery.scan, delivery.name, opener) as (document, scan):
            parcel = Parcel(
                delivery.name,
                delivery.key,
                "application/pdf",
                document.byte_count,
                document.stream,
                scan.started_at,
                delivery.filing,
            )
            yield parcel, scan.page_count

    @asynccontextmanager
    async def assembled(self, scan_id: ScanId, name: str, opener: Opener) -> AsyncIterator[tuple[Document, Scan]]:
        """Give a scan's document under a name, and the scan, for as long as the block runs.

        EncodeError, BrokenSeal, NotOpen. Every page is held against its row and its MAC before the first is opened.
        """
        scan = await self._store.scans.get(scan_id)
        if scan is None:
            raise seal.BrokenSeal("the scan's row is gone")
        rows = await self._store.scans.pages(scan.id)
        # Of a large document this takes a fifth of the time: two threads, since any gateway has two cores.
        await asyncio.gather(*(asyncio.to_thread(self._verify, *rows[start::2]) for start in range(2)))
        drafts: list[Draft] = []
        try:
            pages = [await self._page(row, opener, drafts) for row in rows]
            title = name.removesuffix(".pdf")
            yield plan(pages, title=title, created_at=scan.started_at, identity=scan.id), scan
        finally:
            for draft in drafts:
                await asyncio.to_thread(draft.discard)

    async def verify(self, row: PageFile) -> None:
        """Hold a sealed page against its row and its MAC; BrokenSeal."""
        await asyncio.to_thread(self._verify, row)

    def _verify(self, *rows: PageFile) -> None:
        for row in rows:
            try:
                found = self._spool.sha256(row.path)
            except OSError as error:
                raise seal.BrokenSeal(f"{row.path}: {error.strerror}") from None
            if found != row.sealed_sha256 or page_mac(self._device, row) != row.mac:
                raise seal.BrokenSeal(f"sheet {row.number} {row.side} is not the page that was sealed")

    async def _page(self, row: PageFile, opener: Opener, drafts: list[Draft]) -> PageSource:
        if _is_as_wanted(row):
            return self._as_sent(row, opener)
        encoded = await self._worker.encode(
            opener(row, self._spool.absolute(row.path)),
            media_type=row.media_type,
            height_px=row.height_px,
            target=row.colour,
        )
        if encoded is None:
            return self._as_sent(row, opener)
        draft = await self._sealed(row, encoded)
        drafts.append(draft)
        return PageSource(
            width_px=encoded.width_px,
            height_px=encoded.height_px,
            resolution_dpi=row.resolution_dpi,
            byte_count=len(encoded.data),
            open=partial(opener, row, draft.temporary),
            coding=encoded.coding,
        )

    def _as_sent(self, row: PageFile, opener: Opener) -> PageSource:
        return PageSource(
            width_px=row.width_px,
            height_px=row.height_px,
            resolution_dpi=row.resolution_dpi,
            byte_count=row.byte_count,
            open=partial(opener, row, self._spool.absolute(row.path)),
            coding=_AS_SENT[row.components],
        )

    async def _sealed(self, row: PageFile, encoded: Encoded) -> Draft:
        """Seal what was encoded until the document is delivered: memory holds one page, the disk no plain one."""
        account = await self._store.accounts.get(row.account)
        if account is None:
            raise seal.BrokenSeal("the account's row is gone")
        recipient = account.recipient

        def write(file: BinaryIO) -> None:
            seal.seal(io.BytesIO(encoded.data), file, recipient)

        return await asyncio.to_thread(self._spool.scratch, row.scan, write)


def _is_as_wanted(row: PageFile) -> bool:
    """Tell whether the scanner's own JPEG is what the owner wants."""
    if row.media_type != "image/jpeg":
        return False
    return row.colour == "colour" or (row.colour == "gray" and row.components == 1)
