"""The document of a delivery: pages untouched where they are as wanted, else encoded by the worker and sealed again."""

import asyncio
import io
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import BinaryIO

from gateway.core.gate import Permit
from gateway.core.model import Delivery, PageFile
from gateway.destinations.port import Parcel
from gateway.documents.assemble import Coding, PageSource, plan
from gateway.documents.worker import Encoded, Worker
from gateway.store.spool import Draft, Spool
from gateway.store.store import Store
from gateway.vault import seal
from gateway.vault.device import DeviceKey
from gateway.vault.keyring import Keyring
from gateway.work.manifest import page_mac

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

        EncodeError, BrokenSeal, NotOpen. Every page is held against its row and its MAC before the first is opened.
        """
        scan = await self._store.scans.get(delivery.scan)
        if scan is None:
            raise seal.BrokenSeal("the scan's row is gone")
        rows = await self._store.scans.pages(scan.id)
        for row in rows:
            await asyncio.to_thread(self._verify, row)
        drafts: list[Draft] = []
        try:
            pages = [await self._page(row, permit, drafts) for row in rows]
            title = delivery.name.removesuffix(".pdf")
            document = plan(pages, title=title, created_at=scan.started_at, identity=scan.id)
            yield (
                Parcel(delivery.name, delivery.key, "application/pdf", document.byte_count, document.stream),
                len(rows),
            )
        finally:
            for draft in drafts:
                await asyncio.to_thread(draft.discard)

    def _verify(self, row: PageFile) -> None:
        try:
            found = self._spool.sha256(row.path)
        except OSError as error:
            raise seal.BrokenSeal(f"{row.path}: {error.strerror}") from None
        if found != row.sealed_sha256 or page_mac(self._device, row) != row.mac:
            raise seal.BrokenSeal(f"sheet {row.number} {row.side} is not the page that was sealed")

    async def _page(self, row: PageFile, permit: Permit, drafts: list[Draft]) -> PageSource:
        if _is_as_wanted(row):
            return self._as_sent(row, permit)
        encoded = await self._worker.encode(
            self._opener(row, permit, self._spool.absolute(row.path))(),
            media_type=row.media_type,
            height_px=row.height_px,
            target=row.colour,
        )
        if encoded is None:
            return self._as_sent(row, permit)
        draft = await self._sealed(row, encoded)
        drafts.append(draft)
        return PageSource(
            width_px=encoded.width_px,
            height_px=encoded.height_px,
            resolution_dpi=row.resolution_dpi,
            byte_count=len(encoded.data),
            open=self._opener(row, permit, draft.temporary),
            coding=encoded.coding,
        )

    def _as_sent(self, row: PageFile, permit: Permit) -> PageSource:
        return PageSource(
            width_px=row.width_px,
            height_px=row.height_px,
            resolution_dpi=row.resolution_dpi,
            byte_count=row.byte_count,
            open=self._opener(row, permit, self._spool.absolute(row.path)),
            coding=_AS_SENT[row.components],
        )

    def _opener(self, row: PageFile, permit: Permit, path: Path) -> Callable[[], AsyncIterator[bytes]]:
        def open_page() -> AsyncIterator[bytes]:
            return self._keyring.stream(permit, row.account, path)

        return open_page

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
