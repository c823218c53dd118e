"""The SFTP destination against OpenSSH, rclone, and a server in process that misbehaves."""

import asyncio
import errno
import hashlib
from base64 import b64encode
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import asyncssh
import pytest

from gateway.core.gate import Permit
from gateway.destinations import sftp_link, sftp_login
from gateway.destinations.kinds import Surroundings
from gateway.destinations.names import PARTIAL, temporary
from gateway.destinations.net import Guard
from gateway.destinations.port import DestinationError, Parcel, Proof, Rejected, ReplyLost, Trace, Unavailable
from gateway.destinations.registry import build, check
from gateway.destinations.sftp import KIND, SftpDestination
from gateway.destinations.sftp_link import Link
from gateway.destinations.sftp_login import Login
from tests.conformance.conftest import need
from tests.conformance.peers import run, there
from tests.destinations.conftest import NAME, NOW
from tests.destinations.sftp_peers import (
    GUARD,
    HOST_KEY,
    OTHER_HOST_KEY,
    PASSWORD,
    USER_KEY,
    USERNAME,
    Fault,
    Server,
    Story,
    in_process,
    openssh,
    rclone_server,
)

DATA = bytes(range(256)) * 12_000  # 3 MB: more than may be under way at once
DRAFT = temporary(NAME, "s/d/1", PARTIAL)
AROUND = Surroundings(GUARD)
Make = Callable[..., Parcel]
Served = tuple[Server, Story]


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    async with in_process(tmp_path) as made:
        yield made


@pytest.fixture(params=["openssh", "rclone"])
async def peer(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Server]:
    async with (openssh if request.param == "openssh" else rclone_server)(tmp_path) as server:
        yield server


def endless() -> Parcel:
    async def chunks() -> AsyncIterator[bytes]:
        yield DATA
        await asyncio.Event().wait()

    return Parcel(NAME, "s/d/1", "application/pdf", 10 * len(DATA), chunks, NOW.utc)


@pytest.mark.conformance
async def test_a_document_arrives_whole_with_a_proof(peer: Server, permit: Permit, parcel: Make, gate: Any) -> None:
    gate.look = peer.files
    proof = await peer.destination().deliver(permit, parcel(DATA), gate)
    assert gate.seen == [[DRAFT]]
    assert (peer.folder / NAME).read_bytes() == DATA
    assert peer.files() == [NAME]
    assert proof.sha256 == hashlib.sha256(DATA).hexdigest()
    assert proof.byte_count == len(DATA)
    assert proof.location.endswith(NAME)


@pytest.mark.conformance
async def test_the_same_document_again_is_a_success_and_another_one_is_refused(
    peer: Server, permit: Permit, parcel: Make, gate: Any
) -> None:
    sink = peer.destination()
    first = await sink.deliver(permit, parcel(DATA), gate)
    assert await sink.deliver(permit, parcel(DATA), gate) == first
    assert await sink.reconcile(permit, parcel(DATA)) == first
    for other in (DATA[:-1] + b"\0", DATA[:-1]):
        with pytest.raises(Rejected, match="already"):
            await sink.deliver(permit, parcel(other), gate)
        assert await sink.reconcile(permit, parcel(other)) is Trace.ABSENT
    assert (peer.folder / NAME).read_bytes() == DATA
    assert gate.asked == 1


@pytest.mark.conformance
async def test_a_gate_that_shuts_at_the_commit_leaves_nothing(
    peer: Server, permit: Permit, parcel: Make, gate: Any
) -> None:
    gate.error = LookupError("shut")
    with pytest.raises(LookupError):
        await peer.destination().deliver(permit, parcel(DATA), gate)
    assert peer.files() == []


@pytest.mark.conformance
async def test_cancelled_in_the_middle_it_leaves_nothing(peer: Server, permit: Permit, gate: Any) -> None:
    task = asyncio.create_task(peer.destination().deliver(permit, endless(), gate))
    async with asyncio.timeout(10.0):
        while DRAFT not in peer.files():
            await asyncio.sleep(0.005)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert peer.files() == []
    assert gate.asked == 0


@pytest.mark.conformance
@pytest.mark.parametrize("same", [True, False])
async def test_a_name_taken_during_the_commit_is_not_overwritten(
    peer: Server, permit: Permit, parcel: Make, same: bool
) -> None:
    other = DATA if same else b"theirs"

    async def racer() -> None:
        (peer.folder / NAME).write_bytes(other)

    if same:
        proof = await peer.destination().deliver(permit, parcel(DATA), racer)
        assert proof.sha256 == hashlib.sha256(DATA).hexdigest()
    else:
        with pytest.raises(Rejected, match="already"):
            await peer.destination().deliver(permit, parcel(DATA), racer)
    assert (peer.folder / NAME).read_bytes() == other
    assert peer.files() == [NAME]


@pytest.mark.conformance
async def test_what_an_earlier_attempt_left_is_absent_and_replaced_by_the_next_one(
    peer: Server, permit: Permit, parcel: Make, gate: Any
) -> None:
    (peer.folder / DRAFT).write_bytes(DATA * 2)
    assert await peer.destination().reconcile(permit, parcel(DATA)) is Trace.ABSENT
    assert peer.files() == [DRAFT]
    await peer.destination().deliver(permit, parcel(DATA), gate)
    assert (peer.folder / NAME).read_bytes() == DATA
    assert peer.files() == [NAME]


@pytest.mark.conformance
@pytest.mark.parametrize("how", ["found by reconcile", "found by the next attempt"])
async def test_a_temporary_file_beside_the_document_goes_when_that_is_found(
    peer: Server, permit: Permit, parcel: Make, gate: Any, how: str
) -> None:
    for name in (NAME, DRAFT):
        (peer.folder / name).write_bytes(DATA)
    if how == "found by reconcile":
        assert isinstance(await peer.destination().reconcile(permit, parcel(DATA)), Proof)
    else:
        await peer.destination().deliver(permit, parcel(DATA), gate)
    assert peer.files() == [NAME]


@pytest.mark.conformance
async def test_a_document_that_somebody_took_away_is_not_called_absent(
    peer: Server, permit: Permit, parcel: Make, gate: Any
) -> None:
    await peer.destination().deliver(permit, parcel(DATA), gate)
    (peer.folder / NAME).unlink()
    assert await peer.destination().reconcile(permit, parcel(DATA)) is Trace.UNKNOWABLE


@pytest.mark.conformance
async def test_a_probe_leaves_nothing_and_tells_of_a_folder_that_is_not_there(peer: Server) -> None:
    await peer.destination().probe()
    assert peer.files() == []
    (peer.folder / "file").write_bytes(b"")
    for path, words in (("nowhere", "does not exist"), ("file", "not a folder")):
        with pytest.raises(Rejected, match=words):
            await SftpDestination(peer.login, f"{peer.path}/{path}", GUARD).probe()


@pytest.mark.conformance
async def test_openssh_itself_refuses_a_name_that_was_taken_after_our_look(
    tmp_path: Path, permit: Permit, parcel: Make, gate: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = iter([False])
    look = sftp_link.Link._taken

    async def late(link: sftp_link.Link, path: str) -> bool:
        return next(looks, await look(link, path))

    async with openssh(tmp_path) as server:
        monkeypatch.setattr(sftp_link.Link, "_taken", late)

        async def racer() -> None:
            (server.folder / NAME).write_bytes(b"theirs")

        with pytest.raises(Rejected, match="already"):
            await server.destination().deliver(permit, parcel(DATA), racer)
        assert (server.folder / NAME).read_bytes() == b"theirs"
        assert server.files() == [NAME]


@pytest.mark.conformance
async def test_openssh_with_several_keys_is_known_by_any_of_them(tmp_path: Path) -> None:
    async with openssh(tmp_path, host_key="rsa") as server:
        await server.destination().probe()


@pytest.mark.conformance
async def test_openssh_with_none_of_the_pinned_keys_is_refused(tmp_path: Path) -> None:
    strange = asyncssh.generate_private_key("ssh-ed25519").get_fingerprint()
    async with openssh(tmp_path) as server:
        with pytest.raises(Rejected, match=r"shows another key.*nothing was sent"):
            await SftpDestination(replace(server.login, host_key=strange), server.path, GUARD).probe()


@pytest.mark.conformance
async def test_openssh_refuses_a_key_that_it_does_not_know(tmp_path: Path) -> None:
    stranger = asyncssh.generate_private_key("ssh-ed25519")
    async with openssh(tmp_path) as server:
        with pytest.raises(Rejected, match="refuses the user name"):
            await SftpDestination(replace(server.login, private_key=stranger), server.path, GUARD).probe()


@pytest.mark.conformance
async def test_what_is_no_plain_file_under_the_name_is_left_alone(
    tmp_path: Path, permit: Permit, parcel: Make, gate: Any
) -> None:
    async with openssh(tmp_path) as server:
        (server.folder / NAME).symlink_to("/nowhere")
        with pytest.raises(Rejected, match="already"):
            await server.destination().deliver(permit, parcel(DATA), gate)
        assert await server.destination().reconcile(permit, parcel(DATA)) is Trace.ABSENT


async def test_the_configuration_of_this_machine_plays_no_part(
    served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    (home / ".ssh").mkdir(parents=True)
    (home / ".ssh" / "config").write_text("Host *\n  ProxyCommand false\n  User nobody\n  Ciphers none\n", "ascii")
    (home / ".ssh" / "known_hosts").write_text(f"* {HOST_KEY.export_public_key().decode()}", "ascii")
    (home / ".ssh" / "id_ed25519").write_text("no key\n", "ascii")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("SSH_AUTH_SOCK", str(home / "agent"))
    server, _ = served
    await server.destination().probe()
    with pytest.raises(Rejected, match="host_key"):
        await SftpDestination(replace(server.login, host_key=""), server.path, GUARD).probe()


async def test_another_host_key_gets_no_password(tmp_path: Path) -> None:
    async with in_process(tmp_path, host_key=OTHER_HOST_KEY) as (server, story):
        with pytest.raises(Rejected, match=f"another key.*{OTHER_HOST_KEY.get_fingerprint()}".replace("+", r"\+")):
            await server.destination().probe()
        assert story.passwords == []


async def test_a_wrong_password_is_told_and_no_byte_is_written(
    served: Served, permit: Permit, parcel: Make, gate: Any
) -> None:
    server, story = served
    sink = SftpDestination(replace(server.login, password="wrong"), server.path, GUARD)
    with pytest.raises(Rejected, match="password"):
        await sink.deliver(permit, parcel(DATA), gate)
    assert story.requests == []


async def test_without_a_host_key_the_check_tells_which_one_the_server_shows(served: Served) -> None:
    server, story = served
    config = {"host": "127.0.0.1", "port": str(server.login.port), "username": USERNAME, "path": "/"}
    with pytest.raises(Rejected) as caught:
        await check("sftp", config, {"password": PASSWORD}, AROUND)
    assert str(caught.value).startswith(f"host_key: the server shows {HOST_KEY.get_fingerprint()}; compare it")
    assert story.passwords == []
    line = f"256 {HOST_KEY.get_fingerprint()} root@nas (ED25519)"
    await check("sftp", config | {"host_key": line}, {"password": PASSWORD}, AROUND)
    await build("sftp", config | {"host_key": line}, {"password": PASSWORD}, AROUND).probe()


async def test_an_address_inside_the_network_is_refused_by_the_check_and_at_each_use(served: Served) -> None:
    server, _ = served
    nobody = Guard((), ())
    config = {"host": "127.0.0.1", "port": str(server.login.port), "username": USERNAME, "path": "/"}
    for more in ({}, {"host_key": HOST_KEY.get_fingerprint()}):
        with pytest.raises(Rejected, match=r"^host: .*inside the local network"):
            await check("sftp", config | more, {"password": PASSWORD}, Surroundings(nobody))
    with pytest.raises(Rejected, match="inside the local network"):
        await SftpDestination(server.login, server.path, nobody).probe()


CONFIG = {"host": "93.184.216.34", "username": "anna", "path": "/scans", "host_key": HOST_KEY.get_fingerprint()}
OPENSSH_KEY = USER_KEY.export_private_key().decode()
LOCKED_KEYS = [
    OTHER_HOST_KEY.export_private_key("pkcs8-pem", passphrase="secret").decode(),
    OTHER_HOST_KEY.export_private_key("pkcs1-pem", passphrase="secret").decode(),
]


def nested_key(depth: int) -> str:
    """Return what looks like a key and is a SEQUENCE in a SEQUENCE in ... (X.690, 8.9)."""
    inner = b""
    for _ in range(depth):
        inner = b"\x30\x82" + len(inner).to_bytes(2, "big") + inner
    body = b64encode(inner).decode("ascii")
    return f"-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n"


@pytest.mark.parametrize(
    ("config", "secrets", "words"),
    [
        ({}, {}, "^password: .*needed"),
        ({"port": "0"}, {"password": "p"}, "^port: "),
        ({"port": "65536"}, {"password": "p"}, "^port: "),
        ({"port": "²"}, {"password": "p"}, "^port: "),
        ({"path": "~/scans"}, {"password": "p"}, "^path: "),
        ({"host_key": "SHA256:short"}, {"password": "p"}, "^host_key: "),
        ({"host_key": "MD5:16:27:ac:a5:76:28:2d:36:63:1b:56:4d:eb:df:a6:48"}, {"password": "p"}, "^host_key: "),
        ({}, {"private_key": "ssh-ed25519 AAAA me@here"}, "^private_key: this is not"),
        ({}, {"private_key": nested_key(900)}, "^private_key: this is not"),
        *(({}, {"private_key": key}, "^private_key: .*passphrase") for key in LOCKED_KEYS),
    ],
)
async def test_values_that_do_not_fit_are_refused_by_the_name_of_their_field(
    config: dict[str, str], secrets: dict[str, str], words: str
) -> None:
    with pytest.raises(Rejected, match=words):
        await check("sftp", CONFIG | config, secrets, AROUND)


@pytest.mark.conformance
async def test_a_key_that_ssh_keygen_locked_is_refused(tmp_path: Path) -> None:
    need(there("ssh-keygen"), "openssh-client")
    await run("ssh-keygen", "-q", "-t", "ed25519", "-N", "secret", "-f", str(tmp_path / "key"))
    with pytest.raises(Rejected, match=r"^private_key: .*passphrase"):
        build("sftp", CONFIG, {"private_key": (tmp_path / "key").read_text("ascii")}, AROUND)


@pytest.mark.parametrize("text", [OPENSSH_KEY, OPENSSH_KEY.replace("\n", "\r\n"), f"\n{OPENSSH_KEY.strip()}"])
def test_a_private_key_is_taken_as_forms_send_it(text: str) -> None:
    build("sftp", CONFIG, {"private_key": text}, AROUND)


def test_a_long_rsa_key_is_taken() -> None:
    key = asyncssh.generate_private_key("ssh-rsa", key_size=4096).export_private_key().decode()
    build("sftp", CONFIG, {"private_key": key}, AROUND)


def test_secrets_are_marked_as_such_and_never_printed() -> None:
    assert {f.name for f in KIND.fields if f.secret} == {"password", "private_key"}
    login = build("sftp", CONFIG, {"password": "hunter2", "private_key": OPENSSH_KEY}, AROUND)
    assert "hunter2" not in repr(vars(login))


FAULTS = [
    ("open", asyncssh.SFTPPermissionDenied("no"), Rejected, "right"),
    ("write", asyncssh.SFTPPermissionDenied("no"), Rejected, "right"),
    ("write", OSError(errno.ENOSPC, "No space left on device"), Unavailable, "No space left"),
    ("write", asyncssh.SFTPFailure("tele\x1b[2J" + "phone" * 99), Unavailable, r"failure: tele \[2J(phone)+"),
    ("rename", asyncssh.SFTPPermissionDenied("no"), Rejected, "right"),
    ("rename", asyncssh.SFTPFailure("Failure"), Unavailable, "failure$"),
    ("lstat", asyncssh.SFTPFailure("Failure"), Unavailable, "failure$"),
]


@pytest.mark.parametrize(("request_", "fault", "error", "words"), FAULTS)
async def test_a_refusal_is_told_in_words_and_leaves_nothing(
    served: Served,
    permit: Permit,
    parcel: Make,
    gate: Any,
    request_: str,
    fault: Exception,
    error: type[DestinationError],
    words: str,
) -> None:
    server, story = served
    story.faults = [Fault(request_, fault)]
    with pytest.raises(error, match=words) as caught:
        await server.destination().deliver(permit, parcel(DATA), gate)
    assert len(str(caught.value)) < 200
    assert server.files() == []


async def test_a_failure_without_a_reason_on_a_full_disk_is_called_a_full_disk(
    served: Served, permit: Permit, parcel: Make, gate: Any
) -> None:
    server, story = served
    story.faults = [Fault("write", asyncssh.SFTPFailure("Failure"), full=True)]
    with pytest.raises(Unavailable, match="no room left"):
        await server.destination().deliver(permit, parcel(DATA), gate)
    assert server.files() == []
    with pytest.raises(Unavailable, match="no room left"):
        await server.destination().probe()


async def test_a_connection_lost_during_the_upload_is_retried_later_and_tidied_on_a_new_one(
    served: Served, permit: Permit, parcel: Make, gate: Any
) -> None:
    server, story = served
    story.faults = [Fault("write", drop=True, at_byte=1_000_000)]
    with pytest.raises(Unavailable, match="connection"):
        await server.destination().deliver(permit, parcel(DATA), gate)
    assert server.files() == []
    assert gate.asked == 0


async def test_a_reply_lost_after_the_name_was_given_is_found_again(
    served: Served, permit: Permit, parcel: Make, gate: Any
) -> None:
    server, story = served
    story.faults = [Fault("rename", drop=True, after=True)]
    sink = server.destination()
    with pytest.raises(ReplyLost):
        await sink.deliver(permit, parcel(DATA), gate)
    story.faults = []
    found = await sink.reconcile(permit, parcel(DATA))
    assert isinstance(found, Proof)
    assert found.sha256 == hashlib.sha256(DATA).hexdigest()
    assert server.files() == [NAME]


async def test_a_connection_lost_before_the_name_was_given_is_found_absent(
    served: Served, permit: Permit, parcel: Make, gate: Any
) -> None:
    server, story = served
    story.faults = [Fault("rename", asyncssh.SFTPConnectionLost("gone"), drop=True)]
    with pytest.raises(ReplyLost):
        await server.destination().deliver(permit, parcel(DATA), gate)
    story.faults = []
    for _ in range(2):
        assert server.files() == [DRAFT]
        assert await server.destination().reconcile(permit, parcel(DATA)) is Trace.ABSENT


async def test_a_folder_that_is_gone_says_nothing_of_the_document(
    served: Served, permit: Permit, parcel: Make, gate: Any
) -> None:
    server, _ = served
    await server.destination().deliver(permit, parcel(DATA), gate)
    server.folder.rename(server.folder.with_name("away"))
    with pytest.raises(Rejected, match="folder does not exist"):
        await server.destination().reconcile(permit, parcel(DATA))


async def test_cancelled_while_the_name_is_given_it_leaves_one_of_both_names(
    served: Served, permit: Permit, parcel: Make, gate: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    server, _ = served

    async def publish(link: Link, draft: str, final: str) -> bool:
        raise asyncio.CancelledError

    monkeypatch.setattr(Link, "publish", publish)
    with pytest.raises(asyncio.CancelledError):
        await server.destination().deliver(permit, parcel(DATA), gate)
    assert server.files() == [DRAFT]


async def test_a_server_that_keeps_less_than_it_was_sent_is_never_committed(
    served: Served, permit: Permit, parcel: Make, gate: Any
) -> None:
    server, story = served
    story.faults = [Fault("lstat", short=True)]
    with pytest.raises(Unavailable, match="whole upload"):
        await server.destination().deliver(permit, parcel(DATA), gate)
    assert server.files() == []
    assert gate.asked == 0


async def test_a_server_that_stops_answering_is_given_up(
    served: Served, permit: Permit, parcel: Make, gate: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    server, story = served
    monkeypatch.setattr(sftp_link, "STALL_S", 0.3)
    story.faults = [Fault("write", hang=True, at_byte=1_000_000)]
    with pytest.raises(Unavailable, match="in time"):
        await server.destination().deliver(permit, parcel(DATA), gate)
    assert server.files() == []
    assert gate.asked == 0


async def test_several_writes_are_under_way_at_once_and_not_too_many(
    served: Served, permit: Permit, parcel: Make, gate: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each answer is held back until as many requests wait as may; one at a time would never get that far."""
    most, waiting, full = 8, 0, asyncio.Event()
    write = asyncssh.SFTPClientFile.write

    async def counted(file: asyncssh.SFTPClientFile, data: bytes, offset: int) -> int:
        nonlocal waiting
        waiting += 1
        assert waiting <= most
        if waiting == most:
            full.set()
        await full.wait()
        done = await write(file, data, offset)
        waiting -= 1
        return done

    monkeypatch.setattr(asyncssh.SFTPClientFile, "write", counted)
    server, _ = served
    await server.destination().deliver(permit, parcel(DATA), gate)
    assert (server.folder / NAME).read_bytes() == DATA


@pytest.mark.parametrize("claimed", [len(DATA) - 1, len(DATA) + 1])
async def test_a_stream_of_another_length_is_never_committed(
    served: Served, permit: Permit, parcel: Make, gate: Any, claimed: int
) -> None:
    server, _ = served
    with pytest.raises(Unavailable, match="announced"):
        await server.destination().deliver(permit, parcel(DATA, claimed=claimed), gate)
    assert server.files() == []
    assert gate.asked == 0


@pytest.mark.parametrize("error", [ArithmeticError("seal"), OSError("truncated"), ValueError("garbage")])
async def test_a_stream_that_breaks_leaves_nothing_and_says_what_broke(
    served: Served, permit: Permit, gate: Any, error: Exception
) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield DATA
        raise error

    server, _ = served
    with pytest.raises(type(error), match=str(error)):
        await server.destination().deliver(
            permit, Parcel(NAME, "s/d/1", "application/pdf", 10**7, broken, NOW.utc), gate
        )
    assert server.files() == []


async def test_cancelled_while_it_waits_for_the_gate_it_leaves_nothing(
    served: Served, permit: Permit, parcel: Make
) -> None:
    asked = asyncio.Event()

    async def never() -> None:
        asked.set()
        await asyncio.Event().wait()

    server, _ = served
    task = asyncio.create_task(server.destination().deliver(permit, parcel(DATA), never))
    await asked.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert server.files() == []


async def test_nobody_listening_is_retried_later(tmp_path: Path, permit: Permit, parcel: Make, gate: Any) -> None:
    async with in_process(tmp_path) as (server, _):
        pass
    with pytest.raises(Unavailable, match="connections"):
        await server.destination().deliver(permit, parcel(DATA), gate)
    with pytest.raises(Unavailable, match="connections"):
        await server.destination().reconcile(permit, parcel(DATA))


@pytest.mark.parametrize("greeting", [b"", b"HTTP/1.1 400 Bad Request\r\n" * 5000, b"SSH-1.5-old\r\n", b"\xff" * 70000])
async def test_what_is_no_ssh_server_is_told(greeting: bytes, tmp_path: Path) -> None:
    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(greeting)
        writer.close()

    listening = await asyncio.start_server(greet, "127.0.0.1", 0)
    async with in_process(tmp_path) as (server, _):
        login = replace(server.login, port=listening.sockets[0].getsockname()[1])
        with pytest.raises(Unavailable, match=r"connection|SSH"):
            await SftpDestination(login, "/", GUARD).probe()
    listening.close()
    await listening.wait_closed()


async def test_a_server_that_says_nothing_is_given_up_and_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sftp_login, "LOGIN_S", 0.2)
    left = asyncio.Event()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(1000):
            continue
        left.set()
        writer.close()

    listening = await asyncio.start_server(silent, "127.0.0.1", 0)
    login = Login("127.0.0.1", listening.sockets[0].getsockname()[1], USERNAME, HOST_KEY.get_fingerprint(), PASSWORD)
    with pytest.raises(Unavailable, match="in time"):
        await SftpDestination(login, "/", GUARD).probe()
    await asyncio.wait_for(left.wait(), 10.0)
    listening.close()
    await listening.wait_closed()
