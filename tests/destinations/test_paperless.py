"""The paperless-ngx destination against a simulated server of either generation that misbehaves on request."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from yarl import URL

from gateway.core.gate import Permit
from gateway.core.model import Filing
from gateway.destinations import http, paperless, upload
from gateway.destinations.net import Guard
from gateway.destinations.paperless import PaperlessDestination
from gateway.destinations.paperless_api import Paperless
from gateway.destinations.paperless_form import form
from gateway.destinations.port import DestinationError, Parcel, Proof, Rejected, ReplyLost, Trace, Unavailable
from simulator.sinks import Fate, Fault, PaperlessSink, Trouble, paperless_sink
from tests.destinations.conftest import NAME, NOW

DATA = bytes(range(256)) * 3000
HELD = upload.HELD_BYTES
POST = "/api/documents/post_document/"
Make = Callable[..., Parcel]


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paperless, "FIRST_PAUSE_S", 0.001)
    monkeypatch.setattr(paperless, "LONGEST_PAUSE_S", 0.005)


@pytest.fixture(params=[2, 3])
async def server(request: pytest.FixtureRequest) -> AsyncIterator[PaperlessSink]:
    async with paperless_sink(major=request.param) as sink:
        yield sink


@pytest.fixture
async def two() -> AsyncIterator[PaperlessSink]:
    async with paperless_sink(major=2) as sink:
        yield sink


@pytest.fixture
async def three() -> AsyncIterator[PaperlessSink]:
    async with paperless_sink(major=3) as sink:
        yield sink


def destination(server: PaperlessSink, *, token: str | None = None, path: str = "") -> PaperlessDestination:
    return PaperlessDestination(server.url + path, token or server.token, Guard(("127.0.0.0/8",), ()))


def posts(server: PaperlessSink) -> list[Any]:
    return [r for r in server.requests if r.path == POST]


def without_a_trace(server: PaperlessSink) -> Trace:
    """Return what may be said of a document that a server shows nothing of: 3.x files a second copy, 2.x does not."""
    return Trace.ABSENT if server.archive.major == 2 else Trace.UNKNOWABLE


def is_proof(found: object, server: PaperlessSink, document: int = 1) -> bool:
    assert isinstance(found, Proof)
    assert found.remote_id == str(document)
    assert found.location == f"{server.url}documents/{document}/details"
    assert found.byte_count == len(DATA)
    assert found.sha256 == hashlib.sha256(DATA).hexdigest()
    return True


async def test_a_document_is_filed_and_proved_by_its_number(
    server: PaperlessSink, permit: Permit, parcel: Make, gate: Any
) -> None:
    proof = await destination(server).deliver(permit, parcel(DATA), gate)
    assert is_proof(proof, server)
    filed = server.archive.documents[1]
    assert filed.data == DATA
    assert filed.file_name == NAME
    assert filed.title == NAME.removesuffix(".pdf")
    assert filed.created == NOW.utc.isoformat()
    assert gate.asked == 1


@pytest.mark.parametrize("size", [0, 1, HELD - 1, HELD, HELD + 1])
async def test_documents_of_any_length_arrive_whole(
    server: PaperlessSink, permit: Permit, parcel: Make, gate: Any, size: int
) -> None:
    await destination(server).deliver(permit, parcel(DATA[:size]), gate)
    assert server.archive.documents[1].data == DATA[:size]


async def test_the_upload_states_its_length_and_the_token_and_no_redirects(
    server: PaperlessSink, permit: Permit, parcel: Make, gate: Any
) -> None:
    await destination(server).deliver(permit, parcel(DATA), gate)
    (post,) = posts(server)
    assert post.headers["authorization"] == f"Token {server.token}"
    assert "transfer-encoding" not in post.headers
    assert post.bytes_received > len(DATA)


async def test_a_server_of_3_x_is_asked_in_the_newest_version_known_and_one_of_2_x_in_its_own(
    server: PaperlessSink, permit: Permit, parcel: Make, gate: Any
) -> None:
    await destination(server).deliver(permit, parcel(DATA), gate)
    first, *others = [r.headers["accept"] for r in server.requests]
    assert first == "application/json"
    pinned = "application/json; version=10" if server.archive.major == 3 else "application/json"
    assert set(others) == {pinned}


@pytest.mark.parametrize("name", ['say "hi".pdf', "a&amp;b.pdf", "100%25.pdf", "x; filename=y.pdf", "日本 é.pdf"])
async def test_names_with_quotes_and_entities_arrive_and_are_found_again(
    server: PaperlessSink, permit: Permit, parcel: Make, gate: Any, name: str
) -> None:
    server.next_upload(Fate.STAYS)
    named = parcel(DATA, name=name)
    server.misbehave(Fault("POST", Trouble.DROP_REPLY, path=POST))
    with pytest.raises(ReplyLost):
        await destination(server).deliver(permit, named, gate)
    (task,) = server.archive.tasks
    assert task.upload.data == DATA
    with pytest.raises(Unavailable, match="still working"):
        await destination(server).reconcile(permit, named)


async def test_title_correspondent_and_tags_are_found_or_made_before_a_byte_is_sent(
    server: PaperlessSink, permit: Permit, parcel: Make, gate: Any
) -> None:
    server.archive.tags = {1: "other", 2: "Scanned"}
    filing = Filing(title="Electricity é", correspondent="Stadtwerke", tags=("scanned", "2024", "2024"))
    await destination(server).deliver(permit, parcel(DATA, filing=filing), gate)
    assert server.archive.tags == {1: "other", 2: "Scanned", 3: "2024"}
    assert server.archive.correspondents == {1: "Stadtwerke"}
    filed = server.archive.documents[1]
    assert (filed.title, filed.correspondent, filed.tags) == ("Electricity é", 1, (2, 3))
    assert server.requests.index(posts(server)[0]) > max(
        i for i, r in enumerate(server.requests) if "/tags/" in r.path or "/correspondents/" in r.path
    )


async def test_of_two_tags_that_differ_in_case_the_exact_one_is_taken(
    server: PaperlessSink, permit: Permit, parcel: Make, gate: Any
) -> None:
    server.archive.tags = {1: "TAX", 2: "Tax"}
    await destination(server).deliver(permit, parcel(DATA, filing=Filing(tags=("Tax",))), gate)
    assert server.archive.documents[1].tags == (2,)


async def test_a_tag_that_somebody_makes_in_between_is_taken(
    server: PaperlessSink, permit: Permit, parcel: Make, gate: Any
) -> None:
    server.archive.tags = {7: "new"}
    server.lie("/api/tags/", b'{"results": []}')
    await destination(server).deliver(permit, parcel(DATA, filing=Filing(tags=("new",))), gate)
    assert server.archive.documents[1].tags == (7,)


@pytest.mark.parametrize(
    ("right", "words"),
    [
        ("view_paperlesstask", "see its tasks"),
        ("view_document", "see documents"),
        ("view_tag", "see tags"),
        ("add_tag", "add tags"),
        ("view_correspondent", "see correspondents"),
        ("add_correspondent", "add correspondents"),
    ],
)
async def test_a_missing_right_is_named_before_a_byte_is_sent(
    server: PaperlessSink, permit: Permit, parcel: Make, gate: Any, right: str, words: str
) -> None:
    server.rights -= {right}
    filing = Filing(correspondent="c", tags=("t",))
    with pytest.raises(Rejected, match=f"no right to {words}"):
        await destination(server).deliver(permit, parcel(DATA, filing=filing), gate)
    assert posts(server) == []
    assert gate.asked == 0


async def test_a_missing_right_to_add_documents_is_named(
    server: PaperlessSink, permit: Permit, parcel: Make, gate: Any
) -> None:
    server.rights -= {"add_document"}
    with pytest.raises(Rejected, match="no right to add documents"):
        await destination(server).deliver(permit, parcel(DATA), gate)
    with pytest.raises(Rejected, match="no right to add documents"):
        await destination(server).probe()


async def test_a_wrong_token_sends_no_byte_of_the_document(
    server: PaperlessSink, permit: Permit, parcel: Make, gate: Any
) -> None:
    sink = destination(server, token="wrong")
    with pytest.raises(Rejected, match="does not accept the token"):
        await sink.deliver(permit, parcel(DATA), gate)
    with pytest.raises(Rejected, match="does not accept the token"):
        await sink.probe()
    assert posts(server) == []


async def test_before_the_commit_the_server_has_no_complete_document(
    server: PaperlessSink, permit: Permit, parcel: Make
) -> None:
    async def commit() -> None:
        await server.until(lambda s: bool(posts(s)) and posts(s)[0].bytes_received > len(DATA) - 2 * HELD)
        assert posts(server)[0].bytes_received < len(DATA) - HELD + 1000
        assert server.whole_uploads == 0

    await destination(server).deliver(permit, parcel(DATA), commit)
    assert server.whole_uploads == 1


async def test_a_gate_that_shuts_at_the_commit_leaves_nothing(
    server: PaperlessSink, permit: Permit, parcel: Make, gate: Any
) -> None:
    gate.error = LookupError("shut")
    with pytest.raises(LookupError, match="shut"):
        await destination(server).deliver(permit, parcel(DATA), gate)
    assert server.whole_uploads == 0
    assert await destination(server).reconcile(permit, parcel(DATA)) is without_a_trace(server)


@pytest.mark.parametrize("size", [len(DATA), 10])
async def test_signed_out_while_it_waits_for_the_gate_it_leaves_nothing(
    server: PaperlessSink, permit: Permit, parcel: Make, size: int
) -> None:
    asked = asyncio.Event()

    async def commit() -> None:
        asked.set()
        await never()

    task = asyncio.create_task(destination(server).deliver(permit, parcel(DATA[:size]), commit))
    await asked.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert server.whole_uploads == 0
    assert server.archive.tasks == []


async def test_signed_out_in_the_middle_of_the_upload_it_leaves_nothing(
    server: PaperlessSink, permit: Permit, gate: Any
) -> None:
    opened = []

    async def stuck() -> AsyncIterator[bytes]:
        opened.append(True)
        yield DATA
        if len(opened) > 1:
            await asyncio.Event().wait()
        yield DATA

    parcel = Parcel(NAME, "s/d/1", "application/pdf", 2 * len(DATA), stuck, NOW.utc)
    task = asyncio.create_task(destination(server).deliver(permit, parcel, gate))
    await server.until(lambda s: bool(posts(s)) and posts(s)[0].bytes_received > len(DATA) // 2)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert server.whole_uploads == 0
    assert gate.asked == 0


@pytest.mark.parametrize("claimed", [len(DATA) - 1, len(DATA) + 1])
async def test_a_stream_of_another_length_is_never_sent(
    server: PaperlessSink, permit: Permit, parcel: Make, gate: Any, claimed: int
) -> None:
    with pytest.raises(Unavailable, match="announced"):
        await destination(server).deliver(permit, parcel(DATA, claimed=claimed), gate)
    assert gate.asked == 0
    assert posts(server) == []


async def test_a_stream_that_breaks_says_what_broke(server: PaperlessSink, permit: Permit, gate: Any) -> None:
    opened = []

    async def broken() -> AsyncIterator[bytes]:
        opened.append(True)
        yield DATA
        if len(opened) > 1:
            raise ArithmeticError("seal")
        yield DATA

    parcel = Parcel(NAME, "s/d/1", "application/pdf", 2 * len(DATA), broken, NOW.utc)
    with pytest.raises(ArithmeticError, match="seal"):
        await destination(server).deliver(permit, parcel, gate)
    assert server.whole_uploads == 0


async def test_the_same_document_again_is_a_success_without_a_second_upload(
    server: PaperlessSink, permit: Permit, parcel: Make, gate: Any
) -> None:
    sink = destination(server)
    first = await sink.deliver(permit, parcel(DATA), gate)
    assert await sink.deliver(permit, parcel(DATA), gate) == first
    assert len(posts(server)) == 1
    assert gate.asked == 1


@pytest.mark.parametrize("major", [2, 3])
async def test_a_duplicate_that_only_the_consumer_finds_is_a_success(
    major: int, permit: Permit, parcel: Make, gate: Any
) -> None:
    async with paperless_sink(major=major, refuses_duplicates=True) as server:
        sink = destination(server)
        await sink.deliver(permit, parcel(DATA), gate)
        for _ in range(2):  # the archive is not asked by checksum, as far as we can tell
            server.lie("/api/documents/", b'{"count": 0, "results": []}')
        assert is_proof(await sink.deliver(permit, parcel(DATA, name="other.pdf"), gate), server)
        assert len(server.archive.documents) == 1


@pytest.mark.parametrize("major", [2, 3])
async def test_a_duplicate_in_the_trash_is_for_the_owner_to_settle(
    major: int, permit: Permit, parcel: Make, gate: Any
) -> None:
    async with paperless_sink(major=major, refuses_duplicates=True) as server:
        sink = destination(server)
        await sink.deliver(permit, parcel(DATA), gate)
        server.archive.documents[1].in_trash = True
        with pytest.raises(Rejected, match="#1, in its trash"):
            await sink.deliver(permit, parcel(DATA), gate)


@pytest.mark.parametrize(
    ("text", "document"),
    [
        ("x.pdf: Not consuming x.pdf: It is a duplicate of Bill (#1)", 1),
        ("x.pdf: Not consuming x.pdf: It is a duplicate of Bill (#1).", 1),
        ("x.pdf: Not consuming x.pdf: It is a duplicate of a (#9) b (#1). ", 1),
        ("Not consuming: It is a duplicate of document #1", 1),
    ],
)
async def test_every_wording_of_a_duplicate_is_understood(
    two: PaperlessSink, permit: Permit, parcel: Make, gate: Any, text: str, document: int
) -> None:
    sink = destination(two)
    await sink.deliver(permit, parcel(DATA), gate)
    for _ in range(2):
        two.lie("/api/documents/", b'{"results": []}')
    two.next_upload(Fate.FAILS, text)
    assert is_proof(await sink.deliver(permit, parcel(DATA), gate), two, document)


@pytest.mark.parametrize("number", ["9", "1/../../2", "99999999999999999999", "-1"])
async def test_a_duplicate_that_is_not_shown_is_no_proof(
    two: PaperlessSink, permit: Permit, parcel: Make, gate: Any, number: str
) -> None:
    two.next_upload(Fate.FAILS, f"Not consuming a: It is a duplicate of b (#{number})")
    with pytest.raises(Rejected):
        await destination(two).deliver(permit, parcel(DATA), gate)
    assert not any(".." in r.path for r in two.requests)


async def test_a_copy_of_another_document_is_no_proof(
    two: PaperlessSink, permit: Permit, parcel: Make, gate: Any
) -> None:
    await destination(two).deliver(permit, parcel(DATA[:-1] + b"\0"), gate)
    two.next_upload(Fate.FAILS, "Not consuming a: It is a duplicate of b (#1)")
    with pytest.raises(Rejected, match="#1, but does not show it"):
        await destination(two).deliver(permit, parcel(DATA), gate)


async def test_a_failed_task_is_told_in_the_servers_own_words_in_one_bounded_line(
    server: PaperlessSink, permit: Permit, parcel: Make, gate: Any
) -> None:
    server.next_upload(Fate.FAILS, "InputFileError:\n\x1b[31mno pages\x00 " + "x" * 5000)
    with pytest.raises(Rejected, match=r"could not file .*InputFileError: .*no pages") as caught:
        await destination(server).deliver(permit, parcel(DATA), gate)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 400
    assert await destination(server).reconcile(permit, parcel(DATA)) is without_a_trace(server)


async def test_a_task_that_stays_is_uncertain_and_asked_for_again(
    server: PaperlessSink, permit: Permit, parcel: Make, gate: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paperless, "TASK_S", 0.1)
    server.next_upload(Fate.STAYS)
    sink = destination(server)
    with pytest.raises(ReplyLost, match="still working"):
        await sink.deliver(permit, parcel(DATA), gate)
    with pytest.raises(Unavailable, match="still working"):
        await sink.reconcile(permit, parcel(DATA))
    server.archive.tasks[0].fate = Fate.FILED
    server.archive.finish()
    assert is_proof(await sink.reconcile(permit, parcel(DATA)), server)
    assert len(posts(server)) == 1


async def test_a_document_that_was_accepted_and_dropped_is_not_called_delivered(
    server: PaperlessSink, permit: Permit, parcel: Make, gate: Any
) -> None:
    server.next_upload(Fate.VANISHES)
    sink = destination(server)
    with pytest.raises(ReplyLost, match="knows nothing of it"):
        await sink.deliver(permit, parcel(DATA), gate)
    assert await sink.reconcile(permit, parcel(DATA)) is without_a_trace(server)
    assert is_proof(await sink.deliver(permit, parcel(DATA), gate), server)


@pytest.mark.parametrize("fate", [Fate.SPLIT, Fate.CHANGED])
async def test_what_was_taken_apart_or_changed_is_never_sent_twice(
    server: PaperlessSink, permit: Permit, parcel: Make, gate: Any, fate: Fate
) -> None:
    server.next_upload(fate)
    sink = destination(server)
    with pytest.raises(ReplyLost, match="Barcode splitting complete" if fate is Fate.SPLIT else "#1"):
        await sink.deliver(permit, parcel(DATA), gate)
    assert await sink.reconcile(permit, parcel(DATA)) is Trace.UNKNOWABLE


async def test_a_server_that_loses_the_end_of_it_is_no_success(
    server: PaperlessSink, permit: Permit, parcel: Make, gate: Any
) -> None:
    server.misbehave(Fault("POST", Trouble.SHORT, at_byte=len(DATA), path=POST))
    sink = destination(server)
    with pytest.raises(ReplyLost):
        await sink.deliver(permit, parcel(DATA), gate)
    server.archive.finish()
    assert len(server.archive.documents[1].data) < len(DATA)
    assert await sink.reconcile(permit, parcel(DATA)) is Trace.UNKNOWABLE


async def test_a_reply_lost_after_the_last_byte_is_found_again(
    server: PaperlessSink, permit: Permit, parcel: Make, gate: Any
) -> None:
    server.misbehave(Fault("POST", Trouble.DROP_REPLY, path=POST))
    sink = destination(server)
    with pytest.raises(ReplyLost):
        await sink.deliver(permit, parcel(DATA), gate)
    with pytest.raises(Unavailable, match="still working"):
        await sink.reconcile(permit, parcel(DATA))
    server.archive.finish()
    assert is_proof(await sink.reconcile(permit, parcel(DATA)), server)
    assert len(posts(server)) == 1


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
async def test_no_such_word_about_a_whole_upload_is_believed(
    server: PaperlessSink, permit: Permit, parcel: Make, gate: Any, status: int
) -> None:
    server.misbehave(Fault("POST", Trouble.STATUS_AFTER, status, path=POST))
    sink = destination(server)
    with pytest.raises(ReplyLost, match=str(status)):
        await sink.deliver(permit, parcel(DATA), gate)
    server.archive.finish()
    assert is_proof(await sink.reconcile(permit, parcel(DATA)), server)


@pytest.mark.parametrize("at_byte", [0, 1000, len(DATA) - HELD - 1000])
async def test_a_connection_lost_before_the_commit_is_retried_later(
    server: PaperlessSink, permit: Permit, parcel: Make, at_byte: int
) -> None:
    broken = asyncio.Event()

    async def commit() -> None:
        await broken.wait()  # the server resets before it could have been asked

    server.misbehave(Fault("POST", Trouble.RESET, at_byte=at_byte, path=POST))
    with pytest.raises(Unavailable):
        await destination(server).deliver(permit, parcel(DATA), commit)
    assert server.whole_uploads == 0


async def test_a_connection_lost_after_the_commit_is_uncertain_and_absent_where_a_copy_would_be_refused(
    server: PaperlessSink, permit: Permit, parcel: Make, gate: Any
) -> None:
    server.misbehave(Fault("POST", Trouble.RESET, at_byte=len(DATA) - 1000, path=POST))
    sink = destination(server)
    with pytest.raises(ReplyLost):
        await sink.deliver(permit, parcel(DATA), gate)
    assert gate.asked == 1
    assert server.whole_uploads == 0
    assert await sink.reconcile(permit, parcel(DATA)) is without_a_trace(server)


async def test_a_server_that_does_not_tell_its_version_may_file_copies(
    two: PaperlessSink, permit: Permit, parcel: Make
) -> None:
    two.tells_version = False
    assert await destination(two).reconcile(permit, parcel(DATA)) is Trace.UNKNOWABLE


async def test_an_upload_that_a_proxy_gave_up_on_is_not_sent_again_before_the_server_files_it(
    three: PaperlessSink, permit: Permit, parcel: Make, gate: Any
) -> None:
    three.misbehave(Fault("POST", Trouble.STATUS, 504, path=POST))  # the server behind it has not begun yet
    sink = destination(three)
    with pytest.raises(ReplyLost, match="504"):
        await sink.deliver(permit, parcel(DATA), gate)
    assert await sink.reconcile(permit, parcel(DATA)) is Trace.UNKNOWABLE
    await sink.deliver(permit, parcel(DATA), gate)  # what the proxy still had comes through
    assert is_proof(await sink.reconcile(permit, parcel(DATA)), three)


EARLY = [(200, Unavailable), (401, Rejected), (413, Rejected), (503, Unavailable)]


@pytest.mark.parametrize(("status", "error"), EARLY)
async def test_a_reply_before_the_last_byte_ends_the_upload_before_the_commit(
    server: PaperlessSink, permit: Permit, parcel: Make, status: int, error: type[DestinationError]
) -> None:
    server.misbehave(Fault("POST", Trouble.EARLY, status, path=POST))
    with pytest.raises((error, Unavailable)):  # this server resets the connection, and its words may be lost
        await destination(server).deliver(permit, parcel(DATA), never)
    assert server.whole_uploads == 0


@pytest.mark.parametrize(("status", "error"), EARLY)
async def test_an_early_reply_of_a_server_that_goes_on_listening_is_told(
    parcel: Make, status: int, error: type[DestinationError]
) -> None:
    received, over = bytearray(), asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        received.extend(await reader.readuntil(b"\r\n\r\n"))
        writer.write(f'HTTP/1.1 {status} Early\r\nContent-Length: 6\r\n\r\n"task"'.encode())
        with suppress(ConnectionError):
            while piece := await reader.read(100_000):
                received.extend(piece)
        writer.transport.abort()
        over.set()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with listening:
        url = URL(f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/")
        async with Paperless(Guard(("127.0.0.0/8",), ()), url, "token") as api:
            around = form((), field="document", file_name=NAME, media_type="application/pdf")
            with pytest.raises(error):
                await api.post(parcel(DATA), around, never)
        await over.wait()
    assert around.tail not in received


STATUSES = [
    (301, Rejected, "redirect"),
    (302, Rejected, "redirect"),
    (400, Rejected, "400"),
    (401, Rejected, "token"),
    (403, Rejected, "right"),
    (404, Rejected, "no paperless-ngx"),
    (413, Rejected, "too large"),
    (423, Unavailable, "locked"),
    (429, Unavailable, "slow down"),
    (500, Unavailable, "500"),
    (503, Unavailable, "503"),
    (507, Unavailable, "room"),
]
# With the whole document in hand such an answer leaves open whether it was taken.
WHOLE = [row if row[0] not in (429, 500, 503, 507) else (row[0], ReplyLost, str(row[0])) for row in STATUSES]


@pytest.mark.parametrize(("status", "error", "words"), WHOLE)
async def test_a_refused_upload_is_told_by_its_status(
    server: PaperlessSink,
    permit: Permit,
    parcel: Make,
    gate: Any,
    status: int,
    error: type[DestinationError],
    words: str,
) -> None:
    server.misbehave(Fault("POST", Trouble.STATUS, status, headers=(("Retry-After", "120"),), path=POST))
    with pytest.raises(error, match=words) as caught:
        await destination(server).deliver(permit, parcel(DATA), gate)
    assert getattr(caught.value, "retry_after_s", 120.0) == 120.0
    assert server.whole_uploads == 0


@pytest.mark.parametrize(("status", "error", "words"), STATUSES)
async def test_a_refused_question_is_told_by_its_status_before_a_byte_is_sent(
    server: PaperlessSink,
    permit: Permit,
    parcel: Make,
    gate: Any,
    status: int,
    error: type[DestinationError],
    words: str,
) -> None:
    server.misbehave(Fault("GET", Trouble.STATUS, status))
    with pytest.raises(error, match=words):
        await destination(server).deliver(permit, parcel(DATA), gate)
    assert posts(server) == []


async def test_a_redirect_is_not_followed(server: PaperlessSink, permit: Permit, parcel: Make, gate: Any) -> None:
    async with paperless_sink() as other:
        there = (("Location", other.url + POST[1:]),)
        server.misbehave(Fault("POST", Trouble.STATUS, 307, headers=there, path=POST))
        with pytest.raises(Rejected, match="redirect"):
            await destination(server).deliver(permit, parcel(DATA), gate)
        assert other.requests == []


async def test_a_file_that_the_server_does_not_take_is_told_in_its_own_words(
    server: PaperlessSink, permit: Permit, parcel: Make, gate: Any
) -> None:
    server.magic = b"%PDF"
    with pytest.raises(Rejected, match="File type application/octet-stream not supported"):
        await destination(server).deliver(permit, parcel(DATA), gate)


@pytest.mark.parametrize("trouble", [Trouble.DROP, Trouble.STATUS])
async def test_trouble_while_the_task_is_followed_is_waited_out(
    server: PaperlessSink, permit: Permit, parcel: Make, trouble: Trouble
) -> None:
    async def commit() -> None:
        server.misbehave(Fault("GET", trouble, 503, headers=(("Retry-After", "1000"),), path="/api/tasks/", times=3))

    assert is_proof(await destination(server).deliver(permit, parcel(DATA), commit), server)


async def test_a_token_revoked_while_the_task_is_followed_leaves_it_uncertain(
    server: PaperlessSink, permit: Permit, parcel: Make
) -> None:
    async def commit() -> None:
        server.misbehave(Fault("GET", Trouble.STATUS, 401, path="/api/tasks/"))

    with pytest.raises(ReplyLost, match="token"):
        await destination(server).deliver(permit, parcel(DATA), commit)


async def test_a_document_that_is_filed_and_not_shown_is_uncertain_and_found_later(
    server: PaperlessSink, permit: Permit, parcel: Make, gate: Any
) -> None:
    server.misbehave(Fault("GET", Trouble.STATUS, 503, path="/metadata/"))
    sink = destination(server)
    with pytest.raises(ReplyLost, match="#1"):
        await sink.deliver(permit, parcel(DATA), gate)
    assert is_proof(await sink.reconcile(permit, parcel(DATA)), server)


HOSTILE = [
    b"",
    b"<html>",
    b"null",
    b"7",
    b'"text"',
    b"[1, null, [], {}]",
    b'{"results": 7}',
    b'{"results": [null]}',
    b"[" * 100_000,
    b"1" * 100_000,
    b'"' + b"x" * 2_000_000 + b'"',
    b"\xff\xfe\x00",
]


@pytest.mark.parametrize("answer", HOSTILE)
@pytest.mark.parametrize("path", ["/api/tasks/", "/api/documents/", POST, "/metadata/", "/api/tags/"])
async def test_whatever_a_server_answers_comes_to_a_proof_or_to_words(
    two: PaperlessSink, permit: Permit, parcel: Make, gate: Any, path: str, answer: bytes
) -> None:
    sink = destination(two)
    two.lie(path, answer)
    with suppress(DestinationError):
        assert is_proof(await sink.deliver(permit, parcel(DATA, filing=Filing(tags=("t",))), gate), two)
    two.lies.clear()
    two.lie(path, answer)
    with suppress(DestinationError):
        assert isinstance(await sink.reconcile(permit, parcel(DATA)), Proof | Trace)


@pytest.mark.parametrize("answer", [b"", b"null", b"12", b'"../../x?y"', b'"OK\\n"', b'"' + b"a" * 100 + b'"', b"{}"])
async def test_an_upload_answered_without_a_tasks_id_is_uncertain(
    two: PaperlessSink, permit: Permit, parcel: Make, gate: Any, answer: bytes
) -> None:
    two.lie(POST, answer)
    sink = destination(two)
    with pytest.raises(ReplyLost):
        await sink.deliver(permit, parcel(DATA), gate)
    two.archive.finish()
    assert is_proof(await sink.reconcile(permit, parcel(DATA)), two)


@pytest.mark.parametrize("number", ['"1/../2"', "-1", "true", "1.5", "[1]", "1e3", '"²"', "null", '{"a": 1}', "9" * 40])
@pytest.mark.parametrize("path", ["/api/documents/", "/api/tags/"])
async def test_an_id_that_is_no_number_goes_into_no_address(
    two: PaperlessSink, permit: Permit, parcel: Make, gate: Any, number: str, path: str
) -> None:
    two.lie(path, f'{{"results": [{{"id": {number}, "name": "t"}}]}}'.encode())
    proof = await destination(two).deliver(permit, parcel(DATA, filing=Filing(tags=("t",))), gate)
    assert is_proof(proof, two)
    assert two.archive.documents[1].tags == (1,)
    assert {r.path for r in two.requests if "metadata" in r.path} == {"/api/documents/1/metadata/"}


async def test_a_server_that_drops_the_filter_shows_other_documents_and_is_not_believed(
    server: PaperlessSink, permit: Permit, parcel: Make, gate: Any
) -> None:
    sink = destination(server)
    await sink.deliver(permit, parcel(b"another document", name="other.pdf"), gate)
    server.lie("/api/documents/", b'{"results": [{"id": 1}]}')
    assert is_proof(await sink.deliver(permit, parcel(DATA), gate), server, 2)


async def test_tasks_of_other_files_and_of_older_days_are_not_ours(
    server: PaperlessSink, permit: Permit, parcel: Make, gate: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paperless, "TASK_S", 0.05)
    sink = destination(server)
    for name in ("other.pdf", NAME):
        server.next_upload(Fate.STAYS)
        with pytest.raises(ReplyLost):
            await sink.deliver(permit, parcel(DATA, name=name), gate)
    server.archive.tasks[1].created_at = NOW.utc - timedelta(days=2)
    assert await sink.reconcile(permit, parcel(DATA)) is without_a_trace(server)


async def test_a_task_behind_many_others_is_found(three: PaperlessSink, permit: Permit, parcel: Make) -> None:
    await destination(three).deliver(permit, parcel(b"other", name="other.pdf"), commit_gladly)
    (other,) = three.archive.tasks
    three.next_upload(Fate.STAYS)
    three.misbehave(Fault("POST", Trouble.DROP_REPLY, path=POST))
    with pytest.raises(ReplyLost):
        await destination(three).deliver(permit, parcel(DATA), commit_gladly)
    three.archive.tasks[0].created_at = datetime.now(UTC)
    three.archive.tasks += [other] * 120
    with pytest.raises(Unavailable, match="still working"):
        await destination(three).reconcile(permit, parcel(DATA))
    three.archive.tasks += [other] * 1200
    with pytest.raises(Unavailable, match="so many tasks"):
        await destination(three).reconcile(permit, parcel(DATA))


async def test_reconcile_says_nothing_while_the_server_does_not_answer(
    server: PaperlessSink, permit: Permit, parcel: Make
) -> None:
    for path in ("/api/tasks/", "/api/documents/"):
        server.misbehave(Fault("GET", Trouble.DROP, path=path, times=2))  # GET is asked twice by the client
        with pytest.raises(Unavailable):
            await destination(server).reconcile(permit, parcel(DATA))


async def test_a_server_that_stops_taking_the_upload_is_given_up(
    server: PaperlessSink, permit: Permit, parcel: Make, gate: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "STALL_S", 0.3)
    monkeypatch.setattr(upload, "STALL_S", 0.3)
    server.misbehave(Fault("POST", Trouble.SLOW_BODY, pause_s=1.5, path=POST))
    with pytest.raises(Unavailable, match="stopped taking"):
        await destination(server).deliver(permit, parcel(DATA * 20), gate)
    assert gate.asked == 0


async def test_nobody_listening_is_retried_later(permit: Permit, parcel: Make, gate: Any) -> None:
    async with paperless_sink() as gone:
        sink = destination(gone)
    with pytest.raises(Unavailable, match="connection"):
        await sink.deliver(permit, parcel(DATA), gate)


async def test_a_probe_writes_nothing(server: PaperlessSink) -> None:
    await destination(server).probe()
    assert {r.method for r in server.requests} == {"GET"}
    assert server.bytes_received == 0


async def test_a_probe_accepts_a_user_who_may_not_see_its_own_settings(server: PaperlessSink) -> None:
    server.rights -= {"view_uisettings"}
    await destination(server).probe()


@pytest.mark.parametrize("right", ["view_paperlesstask", "view_document"])
async def test_a_probe_names_a_right_that_is_missing(server: PaperlessSink, right: str) -> None:
    server.rights -= {right}
    with pytest.raises(Rejected, match="no right to see"):
        await destination(server).probe()


async def test_a_probe_of_something_else_is_refused(server: PaperlessSink) -> None:
    with pytest.raises(Rejected, match="no paperless-ngx"):
        await destination(server, path="elsewhere").probe()
    server.tells_version = False
    with pytest.raises(Rejected, match="version"):
        await destination(server).probe()


async def test_an_address_that_is_not_allowed_is_never_contacted(
    server: PaperlessSink, permit: Permit, parcel: Make, gate: Any
) -> None:
    sink = PaperlessDestination(server.url, server.token, Guard((), ()))
    with pytest.raises(Rejected, match="allow ="):
        await sink.deliver(permit, parcel(DATA), gate)
    with pytest.raises(Rejected, match="allow ="):
        await sink.probe()
    assert server.requests == []


async def test_a_name_that_is_a_path_is_refused(server: PaperlessSink, permit: Permit, parcel: Make, gate: Any) -> None:
    with pytest.raises(Rejected):
        await destination(server).deliver(permit, parcel(DATA, name="../x.pdf"), gate)
    assert server.requests == []


async def commit_gladly() -> None:
    """Let everything go."""


async def never() -> None:
    """Keep the end of the document for ever."""
    await asyncio.Event().wait()
