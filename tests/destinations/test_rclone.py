"""The rclone destination with the real rclone: onto a disk, and to a WebDAV server."""

import asyncio
import hashlib
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from gateway.core.gate import Permit
from gateway.destinations import rclone_remote, rclone_run
from gateway.destinations.kinds import Surroundings
from gateway.destinations.names import PARTIAL, temporary
from gateway.destinations.net import Guard
from gateway.destinations.port import DestinationError, Parcel, Proof, Rejected, ReplyLost, Trace, Unavailable
from gateway.destinations.rclone import RcloneDestination
from gateway.destinations.rclone_remote import Files
from gateway.destinations.rclone_run import Ran
from gateway.destinations.rclone_words import refusal
from gateway.destinations.registry import check
from tests.conformance.peers import there
from tests.destinations.conftest import NAME, NOW
from tests.destinations.rclone_peers import Remotes, disk, webdav

pytestmark = pytest.mark.conformance

DATA = bytes(range(256)) * 12_000
DRAFT = temporary(NAME, "s/d/1", PARTIAL)
PATIENCE_S = 20.0
ROOT = Path(__file__).parents[2]
Make = Callable[..., Parcel]


@pytest.fixture
def remotes(tmp_path: Path) -> Remotes:
    return disk(tmp_path)


@pytest.fixture
def sink(remotes: Remotes) -> RcloneDestination:
    return RcloneDestination.below(remotes.allowed, "disk:Scans/2024", remotes.config)


def at(name: str) -> str:
    return f"Scans/2024/{name}"


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not condition():
            await asyncio.sleep(0.01)


def endless() -> Parcel:
    async def chunks() -> AsyncIterator[bytes]:
        yield DATA
        await asyncio.Event().wait()

    return Parcel(NAME, "s/d/1", "application/pdf", 10 * len(DATA), chunks, NOW.utc)


def children(pid: int) -> list[int]:
    """Return the processes whose parent is `pid`."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                status = (entry / "stat").read_text()
            except OSError:
                continue
            if int(status.rpartition(")")[2].split()[1]) == pid:
                found.append(int(entry.name))
    return found


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


async def test_a_document_arrives_whole_with_a_proof(
    sink: RcloneDestination, remotes: Remotes, permit: Permit, parcel: Make, gate: Any
) -> None:
    gate.look = remotes.files
    proof = await sink.deliver(permit, parcel(DATA), gate)
    assert gate.seen == [[at(DRAFT)]]
    assert remotes.files() == [at(NAME)]
    assert (remotes.folder / at(NAME)).read_bytes() == DATA
    digest = hashlib.sha256(DATA).hexdigest()
    assert proof == Proof(f"disk:Scans/2024/{NAME}", digest, len(DATA), digest)


async def test_a_remote_that_thinks_for_long_after_the_last_byte_is_waited_for(
    sink: RcloneDestination, tmp_path: Path, permit: Permit, parcel: Make, gate: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = tmp_path / "bin" / "rclone"
    slow.parent.mkdir()
    slow.write_text(f'#!/bin/sh\n{there("rclone")} "$@"\ncode=$?\n[ "$1" != rcat ] || sleep 1\nexit $code\n', "ascii")
    slow.chmod(0o700)
    monkeypatch.setattr(rclone_run, "_PATH", f"{slow.parent}:{rclone_run._PATH}")
    monkeypatch.setattr(rclone_remote, "ANSWER_S", 0.01)
    proof = await sink.deliver(permit, parcel(DATA), gate)
    assert proof.byte_count == len(DATA)


async def test_the_same_document_again_is_a_success_and_another_one_is_refused(
    sink: RcloneDestination, remotes: Remotes, permit: Permit, parcel: Make, gate: Any
) -> None:
    first = await sink.deliver(permit, parcel(DATA), gate)
    assert await sink.deliver(permit, parcel(DATA), gate) == first
    assert await sink.reconcile(permit, parcel(DATA)) == first
    for other in (DATA[:-1] + b"\0", DATA[:-1]):
        with pytest.raises(Rejected, match="already"):
            await sink.deliver(permit, parcel(other), gate)
        assert await sink.reconcile(permit, parcel(other)) is Trace.ABSENT
    assert (remotes.folder / at(NAME)).read_bytes() == DATA
    assert gate.asked == 1


async def test_a_folder_under_the_name_is_left_alone(
    sink: RcloneDestination, remotes: Remotes, permit: Permit, parcel: Make, gate: Any
) -> None:
    (remotes.folder / at(NAME)).mkdir(parents=True)
    with pytest.raises(Rejected, match="already"):
        await sink.deliver(permit, parcel(DATA), gate)
    assert await sink.reconcile(permit, parcel(DATA)) is Trace.ABSENT


async def test_a_gate_that_shuts_at_the_commit_leaves_nothing(
    sink: RcloneDestination, remotes: Remotes, permit: Permit, parcel: Make, gate: Any
) -> None:
    gate.error = LookupError("shut")
    with pytest.raises(LookupError):
        await sink.deliver(permit, parcel(DATA), gate)
    assert remotes.files() == []


async def test_cancelled_in_the_middle_rclone_is_dead_and_nothing_is_left(
    sink: RcloneDestination, remotes: Remotes, permit: Permit, gate: Any
) -> None:
    task = asyncio.create_task(sink.deliver(permit, endless(), gate))
    await until(lambda: at(DRAFT) in remotes.files())
    running = children(os.getpid())
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert running
    assert not any(alive(pid) for pid in running)
    assert remotes.files() == []
    assert gate.asked == 0


@pytest.mark.parametrize("same", [True, False])
async def test_a_name_taken_during_the_commit_is_not_overwritten(
    sink: RcloneDestination, remotes: Remotes, permit: Permit, parcel: Make, same: bool
) -> None:
    other = DATA if same else b"theirs"

    async def racer() -> None:
        (remotes.folder / at(NAME)).write_bytes(other)

    if same:
        proof = await sink.deliver(permit, parcel(DATA), racer)
        assert proof.sha256 == hashlib.sha256(DATA).hexdigest()
    else:
        with pytest.raises(Rejected, match="already"):
            await sink.deliver(permit, parcel(DATA), racer)
    assert (remotes.folder / at(NAME)).read_bytes() == other
    assert remotes.files() == [at(NAME)]


async def test_what_an_earlier_attempt_left_is_absent_and_replaced_by_the_next_one(
    sink: RcloneDestination, remotes: Remotes, permit: Permit, parcel: Make, gate: Any
) -> None:
    left = remotes.folder / at(DRAFT)
    left.parent.mkdir(parents=True)
    left.write_bytes(DATA * 2)
    assert await sink.reconcile(permit, parcel(DATA)) is Trace.ABSENT
    assert remotes.files() == [at(DRAFT)]
    await sink.deliver(permit, parcel(DATA), gate)
    assert (remotes.folder / at(NAME)).read_bytes() == DATA
    assert remotes.files() == [at(NAME)]


async def test_a_document_that_somebody_took_away_is_not_called_absent(
    sink: RcloneDestination, remotes: Remotes, permit: Permit, parcel: Make, gate: Any
) -> None:
    await sink.deliver(permit, parcel(DATA), gate)
    (remotes.folder / at(NAME)).unlink()
    assert await sink.reconcile(permit, parcel(DATA)) is Trace.UNKNOWABLE


@pytest.mark.parametrize("how", ["found by reconcile", "found by the next attempt"])
async def test_a_temporary_file_beside_the_document_goes_when_that_is_found(
    sink: RcloneDestination, remotes: Remotes, permit: Permit, parcel: Make, gate: Any, how: str
) -> None:
    (remotes.folder / at(NAME)).parent.mkdir(parents=True)
    for name in (NAME, DRAFT):
        (remotes.folder / at(name)).write_bytes(DATA)
    if how == "found by reconcile":
        assert isinstance(await sink.reconcile(permit, parcel(DATA)), Proof)
    else:
        await sink.deliver(permit, parcel(DATA), gate)
    assert remotes.files() == [at(NAME)]


@pytest.mark.parametrize("claimed", [len(DATA) - 1, len(DATA) + 1])
async def test_a_stream_of_another_length_is_never_committed(
    sink: RcloneDestination, remotes: Remotes, permit: Permit, parcel: Make, gate: Any, claimed: int
) -> None:
    with pytest.raises(Unavailable, match="announced"):
        await sink.deliver(permit, parcel(DATA, claimed=claimed), gate)
    assert remotes.files() == []
    assert gate.asked == 0


async def test_a_stream_that_breaks_leaves_nothing_and_says_what_broke(
    sink: RcloneDestination, remotes: Remotes, permit: Permit, gate: Any
) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield DATA
        raise OSError("truncated")

    with pytest.raises(OSError, match="truncated"):
        await sink.deliver(permit, Parcel(NAME, "s/d/1", "application/pdf", 10**7, broken, NOW.utc), gate)
    assert remotes.files() == []


async def test_a_remote_that_keeps_other_bytes_is_never_committed(
    sink: RcloneDestination,
    remotes: Remotes,
    permit: Permit,
    parcel: Make,
    gate: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write = Files.write

    async def spoiled(files: Files, path: str, stream: AsyncIterator[bytes], byte_count: int) -> None:
        await write(files, path, stream, byte_count)
        (remotes.folder / at(DRAFT)).write_bytes(bytes(byte_count))

    monkeypatch.setattr(Files, "write", spoiled)
    with pytest.raises(Unavailable, match="whole upload"):
        await sink.deliver(permit, parcel(DATA), gate)
    assert remotes.files() == []
    assert gate.asked == 0


async def test_no_answer_after_the_move_is_uncertain_and_then_found(
    sink: RcloneDestination, permit: Permit, parcel: Make, gate: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    move = Files.move

    async def cut(files: Files, source: str, target: str) -> Ran:
        await move(files, source, target)
        raise Unavailable("the remote does not answer in time")

    with monkeypatch.context() as patch:
        patch.setattr(Files, "move", cut)
        with pytest.raises(ReplyLost):
            await sink.deliver(permit, parcel(DATA), gate)
    assert isinstance(await sink.reconcile(permit, parcel(DATA)), Proof)


@pytest.mark.parametrize(
    ("said", "error", "left"),
    [("permission denied", Rejected, []), ("dial tcp: connection refused", ReplyLost, [at(DRAFT)])],
)
async def test_a_move_that_did_not_happen_is_believed_only_where_the_remote_said_no(
    sink: RcloneDestination,
    remotes: Remotes,
    permit: Permit,
    parcel: Make,
    gate: Any,
    monkeypatch: pytest.MonkeyPatch,
    said: str,
    error: type[DestinationError],
    left: list[str],
) -> None:
    async def failing(files: Files, source: str, target: str) -> Ran:
        return Ran(1, b"", f"Failed to moveto: {said}")

    with monkeypatch.context() as patch:
        patch.setattr(Files, "move", failing)
        with pytest.raises(error):
            await sink.deliver(permit, parcel(DATA), gate)
    assert remotes.files() == left
    if error is ReplyLost:
        assert await sink.reconcile(permit, parcel(DATA)) is Trace.ABSENT
        assert remotes.files() == left


@pytest.mark.parametrize("input_ends", [True, False])
async def test_a_gateway_that_is_killed_takes_rclone_along_and_nothing_has_the_final_name(
    remotes: Remotes, input_ends: bool
) -> None:
    """Where its input does not end, because somebody else holds it too, only the kernel's signal ends rclone."""
    words = ("-m", "tests.destinations.rclone_peers", str(remotes.config), "disk:Scans/2024")
    gateway = await asyncio.create_subprocess_exec(sys.executable, *words, cwd=ROOT)
    with ExitStack() as held:
        try:
            await until(lambda: at(DRAFT) in remotes.files())
            (rclone,) = children(gateway.pid)
            if not input_ends:
                held.enter_context(Path(f"/proc/{rclone}/fd/0").open("wb", buffering=0))
        finally:
            os.kill(gateway.pid, signal.SIGKILL)
            await gateway.wait()
        await until(lambda: not alive(rclone))
    assert remotes.files() == [at(DRAFT)]


async def test_a_probe_leaves_nothing(sink: RcloneDestination, remotes: Remotes) -> None:
    await sink.probe()
    assert remotes.files() == []


async def test_a_webdav_remote_that_writes_late_gets_the_document(
    tmp_path: Path, permit: Permit, parcel: Make, gate: Any
) -> None:
    async with webdav(tmp_path) as remotes:
        sink = RcloneDestination.below(remotes.allowed, "dav:Scans", remotes.config)
        await sink.probe()
        first = await sink.deliver(permit, parcel(DATA), gate)
        assert (first.byte_count, first.sha256) == (len(DATA), hashlib.sha256(DATA).hexdigest())
        assert await sink.deliver(permit, parcel(DATA), gate) == first
        with pytest.raises(Rejected, match="already"):
            await sink.deliver(permit, parcel(DATA[:-1] + b"\0"), gate)
        await until(lambda: f"Scans/{NAME}" in remotes.files())
        await until(lambda: (remotes.folder / "Scans" / NAME).stat().st_size == len(DATA))
        assert (remotes.folder / "Scans" / NAME).read_bytes() == DATA
        assert remotes.files() == [f"Scans/{NAME}"]


async def test_a_webdav_remote_that_is_not_there_is_retried_later(
    tmp_path: Path, permit: Permit, parcel: Make, gate: Any
) -> None:
    async with webdav(tmp_path) as remotes:
        sink = RcloneDestination.below(remotes.allowed, "dav:Scans", remotes.config)
    with pytest.raises(Unavailable, match="cannot be reached"):
        await sink.deliver(permit, parcel(DATA), gate)
    with pytest.raises(Unavailable, match="cannot be reached"):
        await sink.reconcile(permit, parcel(DATA))


@pytest.mark.parametrize(
    "path",
    [
        "",
        "disk",
        "disk:",
        "disk:/Scans",
        "disk:ScansX",
        "disk:Scans/../Other",
        "disk:Scans/..",
        "disk:Scans/./x",
        "disk:Scans:x",
        "disk:Scans/:local:/etc",
        "other:Scans",
        ":local:Scans",
        ":local,copy_links=true:Scans",
        "disk,remote=/etc:Scans",
        'disk,remote="/etc":Scans',
        "--config=x:Scans",
        "-disk:Scans",
        "disk :Scans",
        "/etc",
        "disk:Scans\\..",
    ],
)
def test_only_what_lies_below_a_listed_remote_can_be_a_destination(path: str, tmp_path: Path) -> None:
    with pytest.raises(Rejected, match=r"^path: "):
        RcloneDestination.below(("disk:Scans",), path, tmp_path)


@pytest.mark.parametrize(("listed", "path"), [("disk:", "disk:a/b"), ("nas:/srv", "nas:/srv//a/"), ("a_b:", "a_b:")])
def test_what_lies_below_a_listed_remote_is_allowed(listed: str, path: str, tmp_path: Path) -> None:
    RcloneDestination.below((listed,), path, tmp_path)


@pytest.mark.parametrize("name", ["--config=x.pdf", "-v", "a:b.pdf", "*{x}?[y].pdf", "a  b .pdf", "$(id);x.pdf"])
async def test_names_that_look_like_something_else_are_names(
    sink: RcloneDestination, remotes: Remotes, permit: Permit, parcel: Make, gate: Any, name: str
) -> None:
    await sink.deliver(permit, parcel(b"%PDF", name=name), gate)
    assert remotes.files() == [at(name)]


async def test_the_environment_of_the_gateway_plays_no_part(
    sink: RcloneDestination, remotes: Remotes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "elsewhere"
    monkeypatch.setenv("RCLONE_CONFIG", str(tmp_path / "none"))
    monkeypatch.setenv("RCLONE_DRY_RUN", "true")
    monkeypatch.setenv("RCLONE_CONFIG_DISK_REMOTE", str(elsewhere))
    monkeypatch.setenv("RCLONE_CONFIG_EVIL_TYPE", "local")
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    async with Files(rclone_run.Rclone(remotes.config))._rclone.running("rcat", "--", "disk:Scans/x") as child:
        await until(lambda: b"rclone" in Path(f"/proc/{child._process.pid}/cmdline").read_bytes().split(b"\0")[0])
        names = {
            pair.partition(b"=")[0] for pair in Path(f"/proc/{child._process.pid}/environ").read_bytes().split(b"\0")
        }
    assert names - {b""} == {b"PATH", b"HOME", b"LANG"}
    await sink.probe()
    assert not elsewhere.exists()
    with pytest.raises(Rejected, match="no remote of this name"):
        await RcloneDestination.below(("evil:",), "evil:", remotes.config).probe()


async def test_without_rclone_or_its_file_the_owner_is_told(
    sink: RcloneDestination, remotes: Remotes, monkeypatch: pytest.MonkeyPatch
) -> None:
    remotes.config.rename(remotes.config.with_suffix(".old"))
    with pytest.raises(Rejected, match=r"no rclone\.conf"):
        await sink.probe()
    monkeypatch.setattr(rclone_run, "_PATH", "/nonexistent")
    with pytest.raises(Rejected, match="not installed"):
        await sink.probe()


async def test_a_configuration_that_needs_a_password_is_refused_and_asks_nobody(
    sink: RcloneDestination, remotes: Remotes
) -> None:
    remotes.config.write_text("# Encrypted rclone configuration File\n\nRCLONE_ENCRYPT_V0:\n" + "QUJD" * 40, "ascii")
    with pytest.raises(Rejected, match=r"rclone\.conf is encrypted"):
        await sink.probe()


async def test_a_remote_that_can_neither_move_nor_copy_is_refused_before_anything_is_sent(
    permit: Permit, parcel: Make, gate: Any, remotes: Remotes
) -> None:
    remotes.config.write_text("[web]\ntype = http\nurl = http://127.0.0.1:1/\n", "ascii")
    with pytest.raises(Rejected, match="neither rename nor copy"):
        await RcloneDestination.below(("web:",), "web:", remotes.config).deliver(permit, parcel(DATA), gate)


async def test_a_path_that_names_a_file_is_refused(remotes: Remotes) -> None:
    (remotes.folder / "Scans").write_bytes(b"")
    with pytest.raises(Rejected, match="not a folder"):
        await RcloneDestination.below(remotes.allowed, "disk:Scans", remotes.config).probe()


async def test_a_remote_that_takes_nothing_is_told_in_a_bounded_sentence(
    remotes: Remotes, permit: Permit, parcel: Make, gate: Any
) -> None:
    remotes.config.write_text("[disk]\ntype = alias\nremote = /proc\n", "ascii")
    with pytest.raises(DestinationError) as caught:
        await RcloneDestination.below(("disk:",), "disk:", remotes.config).deliver(permit, parcel(DATA), gate)
    assert len(str(caught.value)) < 250
    assert gate.asked == 0


@pytest.mark.parametrize(
    ("code", "said", "error", "words"),
    [
        (1, "didn't find section in config file", Rejected, "no remote of this name"),
        (1, 'couldn\'t fetch token: oauth2: "invalid_grant"', Rejected, "config reconnect"),
        (1, "googleapi: Error 403: storageQuotaExceeded", Unavailable, "no room left"),
        (1, "HTTP error 401 (401 Unauthorized)", Rejected, "credentials"),
        (1, "dial tcp: lookup x: no such host", Unavailable, "cannot be reached"),
        (3, "directory not found", Rejected, "does not exist"),
        (5, "try again", Unavailable, "exit code 5"),
        (7, "account suspended", Rejected, "refuses: account suspended"),
        (-9, "", Unavailable, "exit code -9"),
    ],
)
def test_an_end_is_told_in_words(code: int, said: str, error: type[DestinationError], words: str) -> None:
    refused = refusal(code, f"2026/11/30 15:13:48 ERROR : {said}\n")
    assert type(refused) is error
    assert words in str(refused)


@pytest.mark.parametrize(
    "said",
    [
        "Get https://x.example/a?sig=hunter2hunter2: odd",
        "https://me:hunter2@x.example odd",
        "token hunter2hunter2hunter2hunter2hunter2 odd",
        "hunter2 is what I say first\nodd",
        "odd\x1b[2J\x00",
    ],
)
def test_no_secret_and_no_control_character_of_what_rclone_said_is_shown(said: str) -> None:
    shown = str(refusal(1, said + " odd" * 999))
    assert "hunter2" not in shown
    assert "odd" in shown
    assert shown.isprintable()
    assert len(shown) < 250


def test_a_name_of_a_file_is_no_reason() -> None:
    assert type(refusal(1, "a permission denied.pdf: odd", "a permission denied.pdf")) is Unavailable


async def test_the_check_before_saving_names_the_field(remotes: Remotes) -> None:
    around = Surroundings(Guard((), ()), remotes=remotes.allowed, rclone_config=remotes.config)
    await check("rclone", {"path": "disk:Scans/anna"}, {}, around)
    with pytest.raises(Rejected, match=r"^path: "):
        await check("rclone", {"path": "disk:Other"}, {}, around)
