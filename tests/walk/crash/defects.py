"""Defects to be planted, so that the checker is checked: each is a way in which a gateway could be wrong."""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gateway.core import delivery as machine
from gateway.core.model import DeliveryState
from gateway.destinations import folder_files
from gateway.destinations.folder_files import Draft
from gateway.destinations.port import Proof
from gateway.store import spool
from gateway.store.spool import Spool
from gateway.work.intake import Intake


def _visible_too_early() -> None:
    """Write the folder's file under its final name from the beginning."""
    publish = Draft.publish

    def linked(source: str, target: str, dir_fd: int) -> bool:
        return True

    def published(self: Draft) -> Proof:
        self._temporary = ".none"
        return publish(self)

    folder_files.temporary = lambda name, key, ending: name
    folder_files._linked = linked
    folder_files.Folder.remove_temporary = lambda self, parcel: None
    Draft.publish = published


def _sent_twice() -> None:
    """Forget that a commit was under way, and find another name where one is taken."""
    linked = folder_files._linked

    def renamed(source: str, target: str, dir_fd: int) -> bool:
        return linked(source, target, dir_fd) or linked(source, target.replace(".pdf", " 2.pdf"), dir_fd)

    machine._STEPS[DeliveryState.COMMITTING, machine.Event.CRASH] = DeliveryState.WAITING
    folder_files._linked = renamed
    folder_files.Folder.size_of = lambda self, name: None


def _acknowledged_too_early() -> None:
    """Ask for the next page while this one is still on its way to its name and its row."""
    record = Intake._record
    later = set()

    async def recording(self: Intake, scan: Any, page: Any, draft: Any) -> None:
        async def soon() -> None:
            await asyncio.sleep(0.02)
            await record(self, scan, page, draft)

        later.add(asyncio.ensure_future(soon()))

    Intake._record = recording


def _unsynced(named: Callable[[Path], bool]) -> None:
    """Leave out the fsync of what has such a name."""
    sync = os.fsync

    def fsync(file: int) -> None:
        if not named(Path(os.readlink(f"/proc/self/fd/{file}"))):
            sync(file)

    os.fsync = fsync


def _found_and_not_synced() -> None:
    """Take what an earlier life published for safe."""
    folder_files._synced = lambda fd: None


def _left_folder_not_synced() -> None:
    """Take a folder that an earlier life made for safe."""
    sweep = Spool.sweep_temps

    def sweeping(self: Spool) -> None:
        sync, spool._sync_folder = spool._sync_folder, lambda folder: None
        try:
            sweep(self)
        finally:
            spool._sync_folder = sync

    Spool.sweep_temps = sweeping


def _adopted_name_not_synced() -> None:
    """Take a name that an earlier life gave for safe."""
    Spool.adopted = Spool.sha256


DEFECTS: dict[str, Callable[[], None]] = {
    "visible too early": _visible_too_early,
    "sent twice": _sent_twice,
    "acknowledged too early": _acknowledged_too_early,
    "found and not synced": _found_and_not_synced,
    "left folder not synced": _left_folder_not_synced,
    "adopted name not synced": _adopted_name_not_synced,
    "page not synced": lambda: _unsynced(lambda path: path.name.endswith("-front.part")),
    "spool's folder not synced": lambda: _unsynced(lambda path: path.parent.name == "spool"),
    "document not synced": lambda: _unsynced(lambda path: path.parent.name == "archive"),
    "archive not synced": lambda: _unsynced(lambda path: path.name == "archive"),
}


def plant(name: str) -> None:
    """Plant one, or none for ""."""
    if name:
        DEFECTS[name]()
