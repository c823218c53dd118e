"""The e-mail destination against a real mail server (aiosmtpd) that misbehaves on request, and a scripted one."""

import asyncio
import hashlib
import logging
import re
import ssl
import tracemalloc
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from email.parser import BytesParser
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import pytest

from gateway.core.gate import Permit
from gateway.core.model import Filing
from gateway.destinations import letter, smtp, smtp_data, smtp_replies
from gateway.destinations.letter import Envelope, address, encoded_bytes, with_document
from gateway.destinations.mail import KIND, MailDestination
from gateway.destinations.net import Guard
from gateway.destinations.port import DestinationError, Parcel, Rejected, ReplyLost, Trace, Unavailable
from gateway.destinations.smtp import NONE, STARTTLS, TLS, MailServer
from gateway.destinations.upload import HELD_BYTES
from tests.destinations.conftest import NOW
from tests.destinations.mailbox import PASSWORD, USERNAME, Mailbox, certificate, mailbox

DATA = bytes(range(256)) * 3000
NAME = "2024-05-06 scan é.pdf"
SENDER, RECIPIENT = "scanner@example.org", "anna@example.org"
LOCAL = Guard(("127.0.0.0/8",), ())
Make = Callable[..., Parcel]


@pytest.fixture
async def box() -> AsyncIterator[Mailbox]:
    async with mailbox() as running:
        yield running


@pytest.fixture
def trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    """A certificate that this machine trusts for 127.0.0.1."""
    context, pem = certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(pem))
    return context


def destination(
    port: int,
    *,
    security: str = NONE,
    username: str = "",
    password: str = "",
    limit_mb: int = 20,
    guard: Guard = LOCAL,
) -> MailDestination:
    server = MailServer("127.0.0.1", port, security, guard, username, password)
    return MailDestination(server, Envelope(SENDER, RECIPIENT), limit_mb)


def attachment(box: Mailbox) -> Any:
    (found,) = box.last.iter_attachments()
    return found


async def test_a_document_arrives_whole_with_a_proof(box: Mailbox, permit: Permit, parcel: Make, gate: Any) -> None:
    proof = await destination(box.port).deliver(permit, parcel(DATA), gate)
    assert len(box.messages) == 1
    assert attachment(box).get_content() == DATA
    assert attachment(box).get_content_type() == "application/pdf"
    assert attachment(box).get_content_disposition() == "attachment"
    assert proof.location == f"mailto:{RECIPIENT}"
    assert proof.remote_id == f"{box.last['Message-ID']} OK queued as 4F2A"
    assert proof.sha256 == hashlib.sha256(DATA).hexdigest()
    assert proof.byte_count == len(DATA)
    assert gate.asked == 1
    assert box.verbs[-1] == "QUIT"


@pytest.mark.parametrize("size", [1, 56, 57, 58, 114, HELD_BYTES - 1, HELD_BYTES, HELD_BYTES + 1, 3 * HELD_BYTES + 5])
async def test_every_length_arrives_as_it_is_and_is_announced_to_the_byte(
    box: Mailbox, permit: Permit, parcel: Make, gate: Any, size: int
) -> None:
    await destination(box.port).deliver(permit, parcel(DATA[:size]), gate)
    assert attachment(box).get_content() == DATA[:size]
    (announced,) = (v for v in box.verbs if v.startswith("MAIL"))
    assert announced == f"MAIL FROM:<{SENDER}> SIZE={len(box.messages[0])}"


async def test_the_headers_say_who_what_and_when(box: Mailbox, permit: Permit, parcel: Make, gate: Any) -> None:
    filed = parcel(DATA, filing=Filing(title="Rechnung für Müller & Söhne 🧾"))
    await destination(box.port).deliver(permit, filed, gate)
    message = box.last
    assert (message["From"], message["To"]) == (SENDER, RECIPIENT)
    assert message["Subject"] == "Rechnung für Müller & Söhne 🧾"
    assert parsedate_to_datetime(message["Date"]) == NOW.utc
    assert message["Auto-Submitted"] == "auto-generated"
    body = message.get_body()
    assert body is not None
    assert "Rechnung für Müller & Söhne 🧾" in body.get_content()
    assert "Scanned 2024-05-06 07:08 UTC, attached as " + NAME in body.get_content()


async def test_without_a_title_the_subject_is_the_name(box: Mailbox, permit: Permit, parcel: Make, gate: Any) -> None:
    await destination(box.port).deliver(permit, parcel(DATA), gate)
    assert box.last["Subject"] == NAME


@pytest.mark.parametrize(
    "name",
    ["plain.pdf", NAME, "領収書 2024年5月.pdf", 'quo"te; x=y.pdf', "é" * 100 + ".pdf", "a" * 200 + ".pdf", "🧾.pdf"],
)
async def test_any_name_arrives_as_it_is(box: Mailbox, permit: Permit, parcel: Make, gate: Any, name: str) -> None:
    await destination(box.port).deliver(permit, parcel(DATA, name=name), gate)
    assert attachment(box).get_filename() == name
    assert box.last["Subject"] == name


async def test_only_short_seven_bit_lines_with_crlf_go_out(
    box: Mailbox, permit: Permit, parcel: Make, gate: Any
) -> None:
    filing = Filing(title="領収書 " * 30)
    await destination(box.port).deliver(permit, parcel(DATA, name="領" * 60 + ".pdf", filing=filing), gate)
    raw = box.messages[0]
    assert raw.isascii()
    assert not re.search(rb"[^\r]\n|\r[^\n]", raw)
    assert max(map(len, raw.split(b"\r\n"))) <= 78


async def test_the_message_id_and_the_bytes_are_the_same_for_every_attempt_and_for_no_other_parcel(
    box: Mailbox, permit: Permit, parcel: Make, gate: Any
) -> None:
    sink = destination(box.port)
    for key in ("s/d/1", "s/d/1", "s/d/2"):
        await sink.deliver(permit, parcel(DATA, key=key), gate)
    assert box.messages[0] == box.messages[1]
    ids = [re.search(rb"Message-ID: (\S+)", m, re.I).group(1) for m in box.messages]  # type: ignore[union-attr]
    assert ids[1] != ids[2]


@pytest.mark.parametrize(
    "title",
    [
        "x\r\nBcc: eve@evil.example",
        "x\nBcc: eve@evil.example",
        "x\r\n\r\nbody",
        "x\u2028Bcc: eve@evil.example",
        "x\x00y",
        "\ud83d alone",
        "x\r\n.\r\nMAIL FROM:<eve@evil.example>",
    ],
)
async def test_a_title_cannot_begin_a_header_or_end_the_message(
    box: Mailbox, permit: Permit, parcel: Make, gate: Any, title: str
) -> None:
    await destination(box.port).deliver(permit, parcel(DATA, filing=Filing(title=title)), gate)
    message = box.last
    assert message["Bcc"] is None
    assert len(message.get_all("Subject", [])) == 1
    assert attachment(box).get_content() == DATA
    assert [v.split()[0] for v in box.verbs] == ["EHLO", "MAIL", "RCPT", "DATA", "QUIT"]


ENCODED = [
    "=?utf-8?b?QQ0KQmNjOiBlQHgueQ0KDQpCb2R5?=",  # "A", a Bcc and a body, with their line breaks
    "=?utf-8?q?A=0ABcc=3A_eve@evil.example?=",
    "A =?utf-8?q?=0D=0A?= =?utf-8?q?Bcc=3A_eve@evil.example?= Ö",
    "=?utf-8?q?" + "=0D=0A" * 15 + "?=",
    "=?unknown-8bit?q?=ff?=",
    "=?utf-8?q?never ended",
]


@pytest.mark.parametrize("title", ENCODED)
async def test_a_title_that_looks_encoded_is_read_as_it_was_typed(
    box: Mailbox, permit: Permit, parcel: Make, gate: Any, title: str
) -> None:
    await destination(box.port).deliver(permit, parcel(DATA, filing=Filing(title=title)), gate)
    expect_only_our_headers(box)
    assert box.last["Subject"] == title
    assert attachment(box).get_content() == DATA


@pytest.mark.parametrize("title", ENCODED)
async def test_a_file_name_that_looks_encoded_is_read_as_it_is(
    box: Mailbox, permit: Permit, parcel: Make, gate: Any, title: str
) -> None:
    await destination(box.port).deliver(permit, parcel(DATA, name=f"{title}.pdf"), gate)
    expect_only_our_headers(box)
    assert box.last["Subject"] == attachment(box).get_filename() == f"{title}.pdf"
    assert attachment(box).keys() == ["Content-Type", "Content-Transfer-Encoding", "Content-Disposition"]
    assert attachment(box).get_content() == DATA


async def test_an_address_that_looks_encoded_begins_no_header(
    box: Mailbox, permit: Permit, parcel: Make, gate: Any
) -> None:
    sender = address("=?utf-8?q?A=0D=0ABcc=3A?=@example.org")
    server = MailServer("127.0.0.1", box.port, NONE, LOCAL, "", "")
    await MailDestination(server, Envelope(sender, RECIPIENT), 20).deliver(permit, parcel(DATA), gate)
    expect_only_our_headers(box)
    assert f"From: {sender}\r\n".encode() in box.messages[0]


def test_a_head_in_which_a_reader_would_find_more_is_never_built(parcel: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(letter, "_subject", lambda title: "A\r\nBcc: eve@evil.example")
    with pytest.raises(Rejected, match="head of an e-mail"):
        with_document(parcel(DATA), Envelope(SENDER, RECIPIENT))


def expect_only_our_headers(box: Mailbox) -> None:
    ours = ["From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "MIME-Version", "Content-Type"]
    assert BytesParser().parsebytes(box.messages[-1]).keys() == ours
    assert box.last.is_multipart()


@pytest.mark.parametrize("name", ["a\r\nBcc: eve@evil.example.pdf", "a\n.pdf", "../a.pdf", ".hidden"])
async def test_a_name_that_is_none_is_refused_before_anything_is_sent(
    box: Mailbox, permit: Permit, parcel: Make, gate: Any, name: str
) -> None:
    with pytest.raises(Rejected):
        await destination(box.port).deliver(permit, parcel(DATA, name=name), gate)
    assert box.connections == 0


def test_lines_that_begin_with_a_dot_are_stuffed() -> None:
    message = letter.of_text(Envelope(SENDER, RECIPIENT), "t", ".\n..\n.x", "k", NOW.utc, urgent=False)

    async def sent() -> bytes:
        return b"".join([piece async for piece in message.stuffed(None)])

    out = asyncio.run(sent())
    assert b"\r\n..\r\n...\r\n..x\r\n" in out
    assert message.byte_count == len(out) - 3


@pytest.mark.parametrize(
    "text", ["anna@example.org", "a.b+c@mail.example.org", "o'hara@nas", "x@xn--mller-kva.example"]
)
def test_an_address_is_taken(text: str) -> None:
    assert address(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "anna",
        "@example.org",
        "anna@",
        "anna@example.org\n",
        "anna@example.org\r\nRCPT TO:<eve@evil.example>",
        "anna@example.org, eve@evil.example",
        "anna@example.org eve@evil.example",
        "Anna <anna@example.org>",
        "<anna@example.org>",
        "anna@example.org> SIZE=1",
        "anna@-example.org",
        "anna@exa..mple.org",
        ".anna@example.org",
        "an..na@example.org",
        '"anna b"@example.org',
        "anna@[127.0.0.1]",
        "a" * 65 + "@example.org",
        "a@" + "b." * 130 + "org",
        "annä@example.org",
        "anna@müller.example",
    ],
)
def test_anything_but_one_bare_address_is_refused(text: str) -> None:
    with pytest.raises(Rejected):
        address(text)


async def test_nothing_is_complete_before_the_commit(box: Mailbox, permit: Permit, parcel: Make) -> None:
    seen: list[int] = []

    async def look() -> None:
        await asyncio.wait_for(_until(lambda: box.data_bytes > encoded_bytes(len(DATA) - 2 * HELD_BYTES)), 10)
        seen.extend((len(box.messages), box.data_bytes))

    await destination(box.port).deliver(permit, parcel(DATA), look)
    assert seen[0] == 0
    assert seen[1] <= encoded_bytes(len(DATA)) - HELD_BYTES
    assert len(box.messages) == 1


@pytest.mark.parametrize("error", [LookupError("shut"), OSError("disk"), TimeoutError("gate"), Unavailable("later")])
@pytest.mark.parametrize("size", [100, len(DATA)])
async def test_a_gate_that_shuts_at_the_commit_leaves_no_message(
    box: Mailbox, permit: Permit, parcel: Make, gate: Any, error: Exception, size: int
) -> None:
    gate.error = error
    with pytest.raises(type(error)) as caught:
        await destination(box.port).deliver(permit, parcel(DATA[:size]), gate)
    assert caught.value is error
    await box.until_alone()
    assert box.messages == []
    assert box.verbs[-1] == "DATA"


async def test_cancelled_while_it_waits_for_the_gate_it_leaves_no_message(
    box: Mailbox, permit: Permit, parcel: Make
) -> None:
    asked = asyncio.Event()

    async def never() -> None:
        asked.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(destination(box.port).deliver(permit, parcel(DATA), never))
    await asked.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await box.until_alone()
    assert box.messages == []
    assert box.data_bytes <= encoded_bytes(len(DATA)) - HELD_BYTES


async def test_cancelled_in_the_middle_of_the_document_it_leaves_no_message(
    box: Mailbox, permit: Permit, gate: Any
) -> None:
    async def endless() -> AsyncIterator[bytes]:
        yield DATA
        await asyncio.Event().wait()

    task = asyncio.create_task(
        destination(box.port).deliver(
            permit, Parcel(NAME, "s/d/1", "application/pdf", 10 * len(DATA), endless, NOW.utc), gate
        )
    )
    await asyncio.wait_for(_until(lambda: box.data_bytes > len(DATA)), 10)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await box.until_alone()
    assert box.messages == []
    assert gate.asked == 0


@pytest.mark.parametrize("error", [ArithmeticError("seal"), OSError("truncated")])
async def test_a_stream_that_breaks_leaves_no_message_and_says_what_broke(
    box: Mailbox, permit: Permit, gate: Any, error: Exception
) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield DATA
        raise error

    with pytest.raises(type(error), match=str(error)):
        await destination(box.port).deliver(
            permit, Parcel(NAME, "s/d/1", "application/pdf", 10**7, broken, NOW.utc), gate
        )
    await box.until_alone()
    assert box.messages == []


@pytest.mark.parametrize("claimed", [len(DATA) - 1, len(DATA) + 1])
async def test_a_stream_of_another_length_is_never_committed(
    box: Mailbox, permit: Permit, parcel: Make, gate: Any, claimed: int
) -> None:
    with pytest.raises(Unavailable, match="announced"):
        await destination(box.port).deliver(permit, parcel(DATA, claimed=claimed), gate)
    await box.until_alone()
    assert box.messages == []
    assert gate.asked == 0


@pytest.mark.parametrize("verb", ["EHLO", "MAIL", "RCPT", "DATA", "."])
@pytest.mark.parametrize(
    ("reply", "error"),
    [("450 4.2.1 greylisted", Unavailable), ("421 shutting down", Unavailable), ("550 5.7.1 no such user", Rejected)],
)
async def test_a_refusal_is_told_in_the_servers_words_and_leaves_no_message(
    box: Mailbox, permit: Permit, parcel: Make, gate: Any, verb: str, reply: str, error: type[DestinationError]
) -> None:
    box.refuse[verb] = reply
    with pytest.raises(error) as caught:
        await destination(box.port).deliver(permit, parcel(DATA), gate)
    assert reply in str(caught.value)
    await box.until_alone()
    assert box.messages == []
    assert gate.asked == (1 if verb == "." else 0)


@pytest.mark.parametrize("verb", ["EHLO", "MAIL", "RCPT", "DATA"])
async def test_a_connection_lost_before_the_message_is_retried_later(
    box: Mailbox, permit: Permit, parcel: Make, gate: Any, verb: str
) -> None:
    box.refuse[verb] = ""
    with pytest.raises(Unavailable, match="connection"):
        await destination(box.port).deliver(permit, parcel(DATA), gate)
    assert gate.asked == 0


async def test_a_connection_lost_in_the_middle_of_the_message_is_retried_later(
    box: Mailbox, permit: Permit, parcel: Make, gate: Any
) -> None:
    box.drop_at = 200_000
    with pytest.raises(Unavailable, match="connection"):
        await destination(box.port).deliver(permit, parcel(DATA * 8), gate)
    await box.until_alone()
    assert box.messages == []


async def test_a_connection_lost_while_the_gate_is_asked_is_known_to_have_delivered_nothing(
    box: Mailbox, permit: Permit, parcel: Make
) -> None:
    async def slow() -> None:
        box.drop_at = 0
        await box.until_alone()

    with pytest.raises(Unavailable, match="connection"):
        await destination(box.port).deliver(permit, parcel(DATA), slow)
    assert box.messages == []


async def test_no_answer_after_the_dot_is_uncertain_and_nobody_can_tell(
    box: Mailbox, permit: Permit, parcel: Make, gate: Any
) -> None:
    box.refuse["."] = ""
    sink = destination(box.port)
    with pytest.raises(ReplyLost):
        await sink.deliver(permit, parcel(DATA), gate)
    assert len(box.messages) == 1
    assert await sink.reconcile(permit, parcel(DATA)) is Trace.UNKNOWABLE


async def test_a_server_that_never_answers_after_the_dot_is_uncertain(
    permit: Permit, parcel: Make, gate: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(smtp_data, "END_S", 0.1)
    async with scripted(b"") as peer:
        with pytest.raises(ReplyLost):
            await destination(peer.port).deliver(permit, parcel(DATA), gate)


async def test_a_server_that_never_answers_a_command_is_retried_later(
    permit: Permit, parcel: Make, gate: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(smtp, "COMMAND_S", 0.1)
    async with scripted(b"", greeting=b"") as peer:
        with pytest.raises(Unavailable, match="in time"):
            await destination(peer.port).deliver(permit, parcel(DATA), gate)


async def test_a_server_that_stops_reading_is_given_up(
    permit: Permit, parcel: Make, gate: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(smtp_data, "BLOCK_S", 0.2)
    async with scripted(b"", reads=False) as peer:
        with pytest.raises(Unavailable, match="stopped taking"):
            await destination(peer.port, limit_mb=100).deliver(permit, parcel(DATA * 20), gate)
    assert gate.asked == 0


@pytest.mark.parametrize("reply", [b"nonsense\r\n", b"354 more\r\n", b"999 x\r\n", b"250-" + b"x" * 9000 + b"\r\n"])
async def test_an_answer_to_the_dot_that_is_none_is_uncertain(
    permit: Permit, parcel: Make, gate: Any, reply: bytes
) -> None:
    async with scripted(reply) as peer:
        with pytest.raises(ReplyLost):
            await destination(peer.port).deliver(permit, parcel(DATA), gate)


async def test_what_the_server_says_is_kept_short_and_printable(permit: Permit, parcel: Make, gate: Any) -> None:
    async with scripted(b"250-" + b"q" * 3000 + b"\r\n250 \x1b[31m\x07end\r\n") as peer:
        proof = await destination(peer.port).deliver(permit, parcel(DATA), gate)
    assert proof.remote_id.isprintable()
    assert len(proof.remote_id) < 300


@pytest.mark.parametrize(
    ("early", "error", "words"),
    [
        (b"250 taken\r\n", Unavailable, "does not answer like"),
        (b"552 too much\r\n", Rejected, "552 too much"),
        (b"451 busy\r\n", Unavailable, "451 busy"),
    ],
)
async def test_an_answer_before_the_dot_is_no_proof_and_the_dot_is_never_sent(
    permit: Permit, parcel: Make, early: bytes, error: type[DestinationError], words: str
) -> None:
    async with scripted(b"250 taken\r\n", early=early) as peer:

        async def once_it_has_answered() -> None:
            await peer.answered_early.wait()
            for _ in range(10):  # its answer is on our side of the loopback; let it be read
                await asyncio.sleep(0)

        with pytest.raises(error, match=words):
            await destination(peer.port).deliver(permit, parcel(DATA), once_it_has_answered)
    assert not peer.dot_seen


async def test_a_refusal_in_the_middle_of_the_document_ends_it_before_the_gate_is_asked(
    permit: Permit, gate: Any
) -> None:
    async with scripted(b"250 taken\r\n", early=b"552 too much\r\n") as peer:

        async def chunks() -> AsyncIterator[bytes]:
            yield DATA
            await peer.answered_early.wait()
            for _ in range(10):
                await asyncio.sleep(0)
            yield DATA
            yield DATA

        with pytest.raises(Rejected, match="552 too much"):
            await destination(peer.port).deliver(
                permit, Parcel(NAME, "s/d/1", "application/pdf", 3 * len(DATA), chunks, NOW.utc), gate
            )
    assert gate.asked == 0


async def test_memory_stays_flat_for_a_large_document(permit: Permit, gate: Any) -> None:
    piece = bytes(64 * 1024)

    async def large() -> AsyncIterator[bytes]:
        for _ in range(512):
            yield piece

    async with scripted(b"250 taken\r\n") as peer:
        big = Parcel(NAME, "s/d/1", "application/pdf", 512 * len(piece), large, NOW.utc)
        tracemalloc.start()
        try:
            await destination(peer.port, limit_mb=1000).deliver(permit, big, gate)
            _, most = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert peer.bytes_read > encoded_bytes(big.byte_count)
    assert most < 8 * 1024 * 1024


async def test_a_document_above_the_limit_is_refused_with_both_sizes_before_anything_is_sent(
    box: Mailbox, permit: Permit, parcel: Make, gate: Any
) -> None:
    with pytest.raises(Rejected, match=r"0\.8 MB, as an e-mail 1\.1 MB; the limit set here is 1\.0 MB"):
        await destination(box.port, limit_mb=1).deliver(permit, parcel(DATA), gate)
    assert box.connections == 0


async def test_the_servers_limit_is_looked_at_before_the_sender_is_named(
    permit: Permit, parcel: Make, gate: Any
) -> None:
    async with mailbox(size_limit=1_000_000) as box:
        with pytest.raises(Rejected, match=r"1\.1 MB; the server's limit is 1\.0 MB"):
            await destination(box.port).deliver(permit, parcel(DATA), gate)
        assert [v.split()[0] for v in box.verbs] == ["EHLO"]


@pytest.mark.parametrize("size", ["", "0", "lots", "9" * 30, "²"])
async def test_a_size_that_says_nothing_is_no_limit(permit: Permit, parcel: Make, gate: Any, size: str) -> None:
    async with scripted(b"250 taken\r\n", extension=f"SIZE {size}".strip()) as peer:
        await destination(peer.port).deliver(permit, parcel(DATA), gate)
    assert peer.dot_seen


@pytest.mark.parametrize("security", [TLS, STARTTLS])
async def test_login_and_document_go_over_an_encrypted_connection(
    permit: Permit, parcel: Make, gate: Any, trusted: ssl.SSLContext, security: str
) -> None:
    async with mailbox(**{security: trusted}) as box:
        sink = destination(box.port, security=security, username=USERNAME, password=PASSWORD)
        await sink.deliver(permit, parcel(DATA), gate)
        await sink.probe()
        assert box.logins == [(USERNAME.encode(), PASSWORD.encode())] * 2
        assert attachment(box).get_content() == DATA


@pytest.mark.parametrize("security", [TLS, STARTTLS])
async def test_cancelled_at_the_gate_an_encrypted_connection_leaves_no_message_either(
    permit: Permit, parcel: Make, trusted: ssl.SSLContext, security: str
) -> None:
    asked = asyncio.Event()

    async def never() -> None:
        asked.set()
        await asyncio.Event().wait()

    async with mailbox(**{security: trusted}) as box:
        task = asyncio.create_task(destination(box.port, security=security).deliver(permit, parcel(DATA), never))
        await asked.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await box.until_alone()
        assert box.messages == []


@pytest.mark.parametrize("security", [TLS, STARTTLS])
@pytest.mark.parametrize("names", [("127.0.0.1",), ("127.0.0.2",)])
async def test_a_bad_certificate_gets_no_byte_of_the_document_and_no_password(
    permit: Permit,
    parcel: Make,
    gate: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    security: str,
    names: tuple[str, ...],
) -> None:
    context, pem = certificate(tmp_path, names=names)
    if names == ("127.0.0.2",):  # trusted, but for another name
        monkeypatch.setenv("SSL_CERT_FILE", str(pem))
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    async with mailbox(**{security: context}) as box:
        sink = destination(box.port, security=security, username=USERNAME, password=PASSWORD)
        with pytest.raises(Rejected, match="certificate"):
            await sink.deliver(permit, parcel(DATA), gate)
        with pytest.raises(Rejected, match="certificate"):
            await sink.probe()
        assert (box.data_bytes, box.logins, gate.asked) == (0, [], 0)
        assert not [v for v in box.verbs if v.startswith(("AUTH", "MAIL", "RCPT", "DATA"))]


async def test_a_server_that_offers_no_starttls_gets_neither_password_nor_document(
    box: Mailbox, permit: Permit, parcel: Make, gate: Any
) -> None:
    sink = destination(box.port, security=STARTTLS, username=USERNAME, password=PASSWORD)
    with pytest.raises(Rejected, match="no encryption"):
        await sink.deliver(permit, parcel(DATA), gate)
    assert box.logins == []
    assert [v.split()[0] for v in box.verbs] == ["EHLO"]


async def test_what_somebody_slips_in_before_the_encryption_is_not_read_after_it(
    permit: Permit, parcel: Make, gate: Any, trusted: ssl.SSLContext
) -> None:
    async with mailbox(starttls=trusted) as box:
        box.injected = "250-mail.test\r\n250 SIZE 1"
        sink = destination(box.port, security=STARTTLS, username=USERNAME, password=PASSWORD)
        await sink.deliver(permit, parcel(DATA), gate)
        assert len(box.messages) == 1


async def test_a_port_without_tls_is_told_in_words(box: Mailbox, permit: Permit, parcel: Make, gate: Any) -> None:
    with pytest.raises(Unavailable, match="belong to this port"):
        await destination(box.port, security=TLS).deliver(permit, parcel(DATA), gate)


async def test_a_wrong_password_is_tried_once_and_not_repeated_to_anybody(
    permit: Permit, parcel: Make, gate: Any, trusted: ssl.SSLContext
) -> None:
    async with mailbox(starttls=trusted) as box:
        sink = destination(box.port, security=STARTTLS, username=USERNAME, password="hunter2")
        with pytest.raises(Rejected, match="password") as caught:
            await sink.deliver(permit, parcel(DATA), gate)
        assert len(box.logins) == 1
        box.refuse["AUTH"] = "535 what is this: AUTH PLAIN hunter2"
        with pytest.raises(Rejected, match="password") as echoed:
            await sink.probe()
        assert "hunter2" not in f"{caught.value}{echoed.value}{sink._server!r}"


async def test_a_password_is_never_sent_in_the_clear(box: Mailbox, permit: Permit, parcel: Make, gate: Any) -> None:
    with pytest.raises(Rejected, match="unencrypted"):
        await destination(box.port, username=USERNAME, password=PASSWORD).deliver(permit, parcel(DATA), gate)
    assert box.logins == []


async def test_a_server_without_a_login_is_told_in_words(
    permit: Permit, parcel: Make, gate: Any, trusted: ssl.SSLContext
) -> None:
    async with scripted(b"250 taken\r\n", tls=trusted) as peer:
        sink = destination(peer.port, security=TLS, username=USERNAME, password=PASSWORD)
        with pytest.raises(Rejected, match="no way to log in"):
            await sink.deliver(permit, parcel(DATA), gate)


async def test_a_probe_names_sender_and_recipient_and_sends_nothing(box: Mailbox) -> None:
    await destination(box.port).probe()
    assert box.verbs[1:] == [f"MAIL FROM:<{SENDER}>", f"RCPT TO:<{RECIPIENT}>", "RSET", "QUIT"]
    assert (box.messages, box.data_bytes) == ([], 0)


@pytest.mark.parametrize(("verb", "words"), [("MAIL", "sender"), ("RCPT", "recipient"), ("RSET", "start over")])
async def test_a_probe_says_what_was_refused(box: Mailbox, verb: str, words: str) -> None:
    box.refuse[verb] = "550 no"
    with pytest.raises(Rejected, match=words):
        await destination(box.port).probe()


async def test_a_greeting_that_is_a_refusal_is_told(permit: Permit, parcel: Make, gate: Any) -> None:
    async with scripted(b"", greeting=b"554 not you\r\n") as peer:
        with pytest.raises(Rejected, match="554 not you"):
            await destination(peer.port).probe()


async def test_nobody_listening_is_retried_later(permit: Permit, parcel: Make, gate: Any) -> None:
    async with mailbox() as gone:
        sink = destination(gone.port)
    with pytest.raises(Unavailable, match="connections"):
        await sink.deliver(permit, parcel(DATA), gate)


async def test_an_address_that_is_not_allowed_is_never_contacted(
    box: Mailbox, permit: Permit, parcel: Make, gate: Any
) -> None:
    for security in (TLS, STARTTLS, NONE):
        sink = destination(box.port, security=security, guard=Guard((), ()))
        with pytest.raises(Rejected, match="allow ="):
            await sink.deliver(permit, parcel(DATA), gate)
        with pytest.raises(Rejected, match="allow ="):
            await sink.probe()
    assert box.connections == 0


async def test_no_encryption_is_for_hosts_that_the_administrator_named() -> None:
    server = MailServer("93.184.216.34", 25, NONE, Guard((), ()))
    with pytest.raises(Rejected, match="without encryption"):
        await server.check()
    await MailServer("93.184.216.34", 25, NONE, Guard(("93.184.216.34:25",), ())).check()


def test_the_owner_is_told_the_limit() -> None:
    (limit,) = (f for f in KIND.fields if f.name == "size_limit_mb")
    assert limit.initial == "20"
    assert not limit.required


def test_a_letter_is_a_pure_function_of_its_parcel(parcel: Make) -> None:
    envelope = Envelope(SENDER, RECIPIENT)
    assert with_document(parcel(DATA), envelope) == with_document(parcel(DATA), envelope)


def test_a_date_in_another_zone_is_the_same_moment(parcel: Make) -> None:
    made = letter.of_text(Envelope(SENDER, RECIPIENT), "t", "x", "k", datetime(2024, 5, 6, tzinfo=UTC), urgent=True)
    assert b"Date: Mon, 06 May 2024 00:00:00 +0000" in made.head
    assert b"Importance: high" in made.head


def test_a_reply_is_quoted_on_one_line() -> None:
    assert smtp_replies.quoted("a\nb\x1b[0m  c") == "a b [0m c"


class Script:
    """A peer that says what it was told to say, and counts."""

    def __init__(self) -> None:
        self.port = 0
        self.bytes_read = 0
        self.dot_seen = False
        self.answered_early = asyncio.Event()


@asynccontextmanager
async def scripted(
    verdict: bytes,
    *,
    greeting: bytes = b"220 hello\r\n",
    extension: str = "",
    early: bytes = b"",
    reads: bool = True,
    tls: ssl.SSLContext | None = None,
) -> AsyncIterator[Script]:
    script, over = Script(), asyncio.Event()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(greeting)
        while line := await reader.readline():
            verb = line[:4].upper()
            if verb == b"EHLO" and extension:
                writer.write(b"250-hello\r\n250 " + extension.encode() + b"\r\n")
            elif verb == b"DATA":
                writer.write(b"354 go\r\n")
                await (swallow(reader, writer) if reads else over.wait())
            else:
                writer.write(b"221 bye\r\n" if verb == b"QUIT" else b"250 ok\r\n")

    async def swallow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tail = b""
        while piece := await reader.read(256 * 1024):
            script.bytes_read += len(piece)
            tail = (tail + piece)[-5:]
            if early and not script.answered_early.is_set():
                writer.write(early)
                await writer.drain()
                script.answered_early.set()
            if tail == b"\r\n.\r\n":
                script.dot_seen = True
                writer.write(verdict)
                return

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await talk(reader, writer)
        except OSError:
            pass
        finally:
            writer.transport.abort()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls, limit=1024 * 1024)
    script.port = server.sockets[0].getsockname()[1]
    try:
        yield script
    finally:
        over.set()
        server.close()
        await server.wait_closed()
        for _ in range(5):
            await asyncio.sleep(0)


async def _until(condition: Callable[[], bool]) -> None:
    while not condition():
        await asyncio.sleep(0.005)
