"""The folder destination against real files."""

import asyncio
import errno
import hashlib
import os
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from gateway.core.gate import Permit
from gateway.destinations.folder import FolderDestination
from gateway.destinations.folder_files import Draft, Folder
from gateway.destinations.names import PART, temporary
from gateway.destinations.port import DestinationError, Parcel, Proof, Rejected, ReplyLost, Trace, Unavailable
from tests.destinations.conftest import NOW

DATA = bytes(range(256)) * 2000
NAME = "2024-05-06 scan é.pdf"
DRAFT = temporary(NAME, "s/d/1", PART)
Make = Callable[..., Parcel]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    inner = tmp_path / "root" / "anna" / "scans"
    inner.mkdir(parents=True)
    return inner


@pytest.fixture
def sink(tmp_path: Path, folder: Path) -> FolderDestination:
    return FolderDestination.below((tmp_path / "root",), str(folder))


def names(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


async def test_a_document_arrives_whole_with_a_proof(
    sink: FolderDestination, folder: Path, permit: Permit, parcel: Make, gate: Any
) -> None:
    proof = await sink.deliver(permit, parcel(DATA), gate)
    there = folder / NAME
    assert there.read_bytes() == DATA
    assert proof.location == str(there)
    assert proof.byte_count == len(DATA)
    assert proof.sha256 == hashlib.sha256(DATA).hexdigest()
    assert proof.remote_id == f"{there.stat().st_dev}:{there.stat().st_ino}"
    assert names(folder) == [NAME]


async def test_the_mode_does_not_depend_on_the_umask(
    sink: FolderDestination, folder: Path, permit: Permit, parcel: Make, gate: Any
) -> None:
    before = os.umask(0o077)
    try:
        await sink.deliver(permit, parcel(DATA), gate)
    finally:
        os.umask(before)
    assert (folder / NAME).stat().st_mode & 0o777 == 0o640


async def test_before_the_commit_only_a_hidden_name_exists(
    sink: FolderDestination, folder: Path, permit: Permit, parcel: Make, gate: Any
) -> None:
    gate.look = lambda: names(folder)
    await sink.deliver(permit, parcel(DATA), gate)
    assert gate.seen == [[temporary(NAME, "s/d/1", PART)]]


async def test_a_folder_that_hangs_while_it_is_tidied_holds_up_nobody(
    sink: FolderDestination, permit: Permit, parcel: Make, gate: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers, discard = threading.Event(), Draft.discard

    def hanging(self: Draft) -> None:
        answers.wait()
        discard(self)

    monkeypatch.setattr(Draft, "discard", hanging)
    monkeypatch.setattr("gateway.destinations.folder.TIDY_S", 0.01)
    gate.error = LookupError("shut")
    try:
        with pytest.raises(LookupError):
            await sink.deliver(permit, parcel(DATA), gate)
    finally:
        answers.set()


async def test_a_gate_that_shuts_at_the_commit_leaves_nothing(
    sink: FolderDestination, folder: Path, permit: Permit, parcel: Make, gate: Any
) -> None:
    gate.error = LookupError("shut")
    with pytest.raises(LookupError):
        await sink.deliver(permit, parcel(DATA), gate)
    assert names(folder) == []


@pytest.mark.parametrize("claimed", [len(DATA) - 1, len(DATA) + 1])
async def test_a_stream_of_another_length_is_never_committed(
    sink: FolderDestination, folder: Path, permit: Permit, parcel: Make, gate: Any, claimed: int
) -> None:
    with pytest.raises(Unavailable):
        await sink.deliver(permit, parcel(DATA, claimed=claimed), gate)
    assert names(folder) == []
    assert gate.asked == 0


async def test_a_stream_that_breaks_leaves_nothing_and_says_what_broke(
    sink: FolderDestination, folder: Path, permit: Permit, gate: Any
) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield DATA
        raise ArithmeticError("seal")

    with pytest.raises(ArithmeticError):
        await sink.deliver(permit, Parcel(NAME, "k", "application/pdf", 10**6, broken, NOW.utc), gate)
    assert names(folder) == []


async def test_cancelled_in_the_middle_it_leaves_nothing(
    sink: FolderDestination, folder: Path, permit: Permit, gate: Any
) -> None:
    under_way = asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        yield DATA
        under_way.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(
        sink.deliver(permit, Parcel(NAME, "k", "application/pdf", 10**6, endless, NOW.utc), gate)
    )
    await under_way.wait()
    assert names(folder) != []
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert names(folder) == []


async def test_cancelled_while_it_waits_for_the_gate_it_leaves_nothing(
    sink: FolderDestination, folder: Path, permit: Permit, parcel: Make
) -> None:
    asked = asyncio.Event()

    async def never() -> None:
        asked.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(sink.deliver(permit, parcel(DATA), never))
    await asked.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert names(folder) == []


async def test_the_same_document_again_is_a_success_without_a_second_commit(
    sink: FolderDestination, folder: Path, permit: Permit, parcel: Make, gate: Any
) -> None:
    first = await sink.deliver(permit, parcel(DATA), gate)
    assert await sink.deliver(permit, parcel(DATA), gate) == first
    assert gate.asked == 1
    assert names(folder) == [NAME]


@pytest.mark.parametrize("other", [DATA[:-1], DATA[:-1] + b"\0", b""])
async def test_another_file_of_that_name_is_never_overwritten(
    sink: FolderDestination, folder: Path, permit: Permit, parcel: Make, gate: Any, other: bytes
) -> None:
    (folder / NAME).write_bytes(other)
    with pytest.raises(Rejected, match="already"):
        await sink.deliver(permit, parcel(DATA), gate)
    assert (folder / NAME).read_bytes() == other
    assert gate.asked == 0


@pytest.mark.parametrize("links", [True, False])
@pytest.mark.parametrize("same", [True, False])
async def test_a_name_taken_during_the_commit_is_not_overwritten(
    sink: FolderDestination,
    folder: Path,
    permit: Permit,
    parcel: Make,
    monkeypatch: pytest.MonkeyPatch,
    links: bool,
    same: bool,
) -> None:
    if not links:
        monkeypatch.setattr(os, "link", without_links)
    other = DATA if same else b"theirs"

    async def racer() -> None:
        (folder / NAME).write_bytes(other)

    if same:
        assert (await sink.deliver(permit, parcel(DATA), racer)).byte_count == len(DATA)
    else:
        with pytest.raises(Rejected, match="already"):
            await sink.deliver(permit, parcel(DATA), racer)
    assert (folder / NAME).read_bytes() == other
    assert names(folder) == [NAME]


async def test_where_links_are_unknown_it_renames(
    sink: FolderDestination,
    folder: Path,
    permit: Permit,
    parcel: Make,
    gate: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(os, "link", without_links)
    await sink.deliver(permit, parcel(DATA), gate)
    assert (folder / NAME).read_bytes() == DATA
    assert names(folder) == [NAME]


async def test_what_a_crash_left_behind_is_replaced(
    sink: FolderDestination, folder: Path, permit: Permit, parcel: Make, gate: Any
) -> None:
    (folder / temporary(NAME, "s/d/1", PART)).write_bytes(b"half")
    await sink.deliver(permit, parcel(DATA), gate)
    assert names(folder) == [NAME]


async def test_another_deliverys_temporary_file_is_left_alone(
    sink: FolderDestination, folder: Path, permit: Permit, parcel: Make, gate: Any
) -> None:
    other = temporary(NAME, "s/d/2", PART)
    (folder / other).write_bytes(b"theirs")
    await sink.deliver(permit, parcel(DATA), gate)
    assert names(folder) == sorted([other, NAME])


async def test_a_link_in_place_of_the_temporary_file_is_not_written_through(
    sink: FolderDestination, folder: Path, permit: Permit, parcel: Make, gate: Any, tmp_path: Path
) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"untouched")
    (folder / temporary(NAME, "s/d/1", PART)).symlink_to(victim)
    await sink.deliver(permit, parcel(DATA), gate)
    assert victim.read_bytes() == b"untouched"


@pytest.mark.parametrize("level", ["anna", "anna/scans"])
async def test_a_link_below_the_root_is_not_followed(
    folder: Path, tmp_path: Path, permit: Permit, parcel: Make, gate: Any, level: str
) -> None:
    root = tmp_path / "root"
    real = root / level
    real.rename(tmp_path / "elsewhere")
    real.symlink_to(tmp_path / "elsewhere")
    sink = FolderDestination.below((root,), str(folder))
    with pytest.raises(Rejected, match="link"):
        await sink.deliver(permit, parcel(DATA), gate)
    with pytest.raises(Rejected, match="link"):
        await sink.probe()


@pytest.mark.parametrize("kind", ["link", "folder", "fifo"])
async def test_what_is_no_plain_file_under_the_name_is_left_alone(
    sink: FolderDestination, folder: Path, permit: Permit, parcel: Make, gate: Any, kind: str
) -> None:
    make_other(folder / NAME, kind)
    with pytest.raises(Rejected, match="already"):
        await sink.deliver(permit, parcel(DATA), gate)
    assert await sink.reconcile(permit, parcel(DATA)) is Trace.ABSENT


@pytest.mark.parametrize(
    "path", ["/", "/etc", "relative", "", "/srv/scans/../etc", "/srv/scansX", "/srv/scans/a\0b", "//srv/scans"]
)
def test_only_what_lies_below_a_listed_root_can_be_a_destination(path: str) -> None:
    with pytest.raises(Rejected, match="path:"):
        FolderDestination.below((Path("/srv/scans"),), path)


def test_without_roots_no_folder_is_allowed() -> None:
    with pytest.raises(Rejected, match="administrator"):
        FolderDestination.below((), "/srv/scans")


@pytest.mark.parametrize("name", ["", ".", "..", ".hidden", "a/b", "../x", "a\0b", "x" * 250, "a\\b", "a\nb"])
async def test_names_that_are_no_file_names_are_refused(
    sink: FolderDestination, folder: Path, permit: Permit, parcel: Make, gate: Any, name: str
) -> None:
    with pytest.raises(Rejected):
        await sink.deliver(permit, parcel(DATA, name=name), gate)
    assert names(folder) == []


async def test_a_folder_that_is_gone_is_retried(
    sink: FolderDestination, folder: Path, permit: Permit, parcel: Make, gate: Any
) -> None:
    os.rmdir(folder)
    with pytest.raises(Unavailable, match="not there"):
        await sink.deliver(permit, parcel(DATA), gate)
    with pytest.raises(Unavailable, match="not there"):
        await sink.reconcile(permit, parcel(DATA))


async def test_a_path_through_a_file_is_refused(tmp_path: Path, permit: Permit, parcel: Make, gate: Any) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(Rejected, match="file"):
        await FolderDestination.below((tmp_path,), str(tmp_path / "file")).deliver(permit, parcel(DATA), gate)


@pytest.mark.parametrize(
    ("code", "error", "words"),
    [
        (errno.ENOSPC, Unavailable, "full"),
        (errno.EDQUOT, Unavailable, "quota"),
        (errno.EIO, Unavailable, "failed"),
        (errno.EROFS, Unavailable, "read-only"),
        (errno.EACCES, Rejected, "right"),
        (errno.EFBIG, Rejected, "too large"),
    ],
)
async def test_a_write_that_fails_leaves_nothing_and_says_why(
    sink: FolderDestination,
    folder: Path,
    permit: Permit,
    parcel: Make,
    gate: Any,
    monkeypatch: pytest.MonkeyPatch,
    code: int,
    error: type[DestinationError],
    words: str,
) -> None:
    def failing(fd: int, data: bytes) -> int:
        raise OSError(code, os.strerror(code))

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", failing)
        with pytest.raises(error, match=words):
            await sink.deliver(permit, parcel(DATA), gate)
    assert names(folder) == []
    assert gate.asked == 0


async def test_short_writes_are_continued(
    sink: FolderDestination, folder: Path, permit: Permit, parcel: Make, gate: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = os.write
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", lambda fd, data: write(fd, data[:777]))
        await sink.deliver(permit, parcel(DATA), gate)
    assert (folder / NAME).read_bytes() == DATA


async def test_a_folder_that_does_not_confirm_after_the_link_is_uncertain_and_then_found(
    sink: FolderDestination, folder: Path, permit: Permit, parcel: Make, gate: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = iter([None, None, OSError(errno.EIO, "Input/output error")])  # the file's sync, the folder's, the folder's

    def fsync(fd: int) -> None:
        if (error := next(calls, None)) is not None:
            raise error

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fsync)
        with pytest.raises(ReplyLost):
            await sink.deliver(permit, parcel(DATA), gate)
    found = await sink.reconcile(permit, parcel(DATA))
    assert isinstance(found, Proof)
    assert found.sha256 == hashlib.sha256(DATA).hexdigest()


async def test_what_has_its_temporary_name_is_absent_however_often_one_asks_and_goes_with_the_next_attempt(
    sink: FolderDestination, folder: Path, permit: Permit, parcel: Make, gate: Any
) -> None:
    (folder / DRAFT).write_bytes(DATA)
    for _ in range(2):
        assert await sink.reconcile(permit, parcel(DATA)) is Trace.ABSENT
        assert names(folder) == [DRAFT]
    await sink.deliver(permit, parcel(DATA), gate)
    assert names(folder) == [NAME]


async def test_a_document_that_somebody_took_away_is_not_called_absent(
    sink: FolderDestination, folder: Path, permit: Permit, parcel: Make, gate: Any
) -> None:
    await sink.deliver(permit, parcel(DATA), gate)
    (folder / NAME).unlink()
    assert await sink.reconcile(permit, parcel(DATA)) is Trace.UNKNOWABLE


async def test_a_document_that_somebody_takes_away_while_it_is_looked_for_is_not_called_absent(
    sink: FolderDestination, folder: Path, permit: Permit, parcel: Make, gate: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    await sink.deliver(permit, parcel(DATA), gate)
    read = Folder.proof_of

    def taken(self: Folder, name: str) -> Proof | None:
        (folder / name).unlink()
        return read(self, name)

    monkeypatch.setattr(Folder, "proof_of", taken)
    assert await sink.reconcile(permit, parcel(DATA)) is Trace.UNKNOWABLE


@pytest.mark.parametrize("how", ["found by reconcile", "found by the next attempt"])
async def test_of_two_names_that_a_kill_left_the_temporary_one_goes(
    sink: FolderDestination, folder: Path, permit: Permit, parcel: Make, gate: Any, how: str
) -> None:
    for name in (NAME, DRAFT):
        (folder / name).write_bytes(DATA)
    if how == "found by reconcile":
        assert isinstance(await sink.reconcile(permit, parcel(DATA)), Proof)
    else:
        await sink.deliver(permit, parcel(DATA), gate)
    assert names(folder) == [NAME]


async def test_each_name_is_durable_before_the_next_step_goes_by_it(
    sink: FolderDestination, folder: Path, permit: Permit, parcel: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[str] = []
    fsync, link, unlink = os.fsync, os.link, os.unlink

    def synced(fd: int) -> None:
        fsync(fd)
        steps.append("sync the folder" if os.path.isdir(f"/proc/self/fd/{fd}") else "sync the file")

    def linked(*where: Any, **more: Any) -> None:
        link(*where, **more)
        steps.append("publish")

    def unlinked(*where: Any, **more: Any) -> None:
        unlink(*where, **more)
        steps.append("remove the temporary name")

    async def commit() -> None:
        steps.append("commit")

    for name, step in (("fsync", synced), ("link", linked), ("unlink", unlinked)):
        monkeypatch.setattr(os, name, step)
    await sink.deliver(permit, parcel(DATA), commit)
    assert steps == [
        "sync the file",
        "sync the folder",
        "commit",
        "publish",
        "sync the folder",
        "remove the temporary name",
        "sync the folder",
    ]


async def test_reconcile_does_not_take_another_file_for_ours(
    sink: FolderDestination, folder: Path, permit: Permit, parcel: Make
) -> None:
    (folder / NAME).write_bytes(DATA[:-1] + b"\0")
    assert await sink.reconcile(permit, parcel(DATA)) is Trace.ABSENT
    assert names(folder) == [NAME]


async def test_a_probe_leaves_nothing(sink: FolderDestination, folder: Path) -> None:
    await sink.probe()
    assert names(folder) == []


def without_links(*_: object, **__: object) -> None:
    raise OSError(errno.EPERM, "Operation not permitted")


def make_other(path: Path, kind: str) -> None:
    if kind == "link":
        path.symlink_to("/nowhere")
    elif kind == "folder":
        path.mkdir()
    else:
        os.mkfifo(path)
