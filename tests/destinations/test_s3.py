"""The S3 destination against a store that checks signatures: documents, commits, cancellations, names."""

import asyncio
import hashlib
import os
import tracemalloc
from collections.abc import AsyncIterator, Iterable
from typing import Any

import pytest
from yarl import URL

from gateway.core.gate import Permit
from gateway.destinations import s3_http
from gateway.destinations.port import Parcel, Rejected, Unavailable
from gateway.destinations.s3 import S3Destination
from gateway.destinations.s3_bucket import PART_BYTES
from gateway.destinations.s3_client import Account
from simulator.sinks import Answer, Condition, Fault, S3Sink, Sink, Trouble, s3_sink
from simulator.sinks.serving import Environ, StartResponse, serving
from tests.destinations.conftest import NAME, NOW
from tests.destinations.s3_rig import KEY, LARGE, LOCAL, SMALL, Make, destination


@pytest.fixture
async def store() -> AsyncIterator[S3Sink]:
    async with s3_sink() as sink:
        yield sink


@pytest.mark.parametrize("data", [SMALL, LARGE, LARGE[:PART_BYTES], b"x"])
async def test_a_document_arrives_whole_with_a_proof(
    store: S3Sink, permit: Permit, parcel: Make, gate: Any, data: bytes
) -> None:
    proof = await destination(store).deliver(permit, parcel(data), gate)
    assert store.objects() == {KEY: data}
    assert store.uploads() == []
    assert proof.location == f"s3://{store.bucket}/{KEY}"
    assert proof.sha256 == hashlib.sha256(data).hexdigest()
    assert proof.byte_count == len(data)
    assert proof.remote_id
    assert gate.asked == 1
    assert store.operations.count("UploadPart") == -(-len(data) // PART_BYTES)


async def test_in_a_bucket_with_versions_the_proof_names_the_version(
    store: S3Sink, permit: Permit, parcel: Make, gate: Any
) -> None:
    store.backend.put_bucket_versioning(store.bucket, "Enabled")
    proof = await destination(store).deliver(permit, parcel(SMALL), gate)
    assert proof.remote_id == store.backend.get_object(store.bucket, KEY).version_id


async def test_before_the_commit_no_object_exists_and_after_it_no_byte_of_the_document_is_sent(
    store: S3Sink, permit: Permit, parcel: Make
) -> None:
    seen: list[Any] = []

    async def commit() -> None:
        seen.extend((store.objects(), store.uploads(), len(store.operations)))

    await destination(store).deliver(permit, parcel(LARGE), commit)
    assert seen[:2] == [{}, [KEY]]
    assert store.operations[seen[2] :] == ["CompleteMultipartUpload", "HEAD"]


async def test_every_part_states_its_hash_and_its_length_and_the_completion_forbids_overwriting(
    store: S3Sink, permit: Permit, parcel: Make, gate: Any
) -> None:
    await destination(store).deliver(permit, parcel(LARGE), gate)
    puts = [r for r in store.requests if r.method == "PUT"]
    assert [r.bytes_received for r in puts] == [PART_BYTES, len(LARGE) - PART_BYTES]
    for put, part in zip(puts, (LARGE[:PART_BYTES], LARGE[PART_BYTES:]), strict=True):
        assert put.headers["x-amz-content-sha256"] == hashlib.sha256(part).hexdigest()
        assert put.headers["content-md5"]
        assert not {"transfer-encoding", "expect"} & set(put.headers)
        assert not any("checksum" in name or "trailer" in name for name in put.headers)
    complete = store.requests[store.operations.index("CompleteMultipartUpload")]
    assert complete.headers["if-none-match"] == "*"


async def test_a_part_that_arrives_damaged_is_refused_by_the_store_and_sent_again_later(
    store: S3Sink, permit: Permit, parcel: Make, gate: Any
) -> None:
    store.misbehave(Fault("PUT", Trouble.SHORT, at_byte=len(SMALL) - 1))
    with pytest.raises(Unavailable, match="damaged"):
        await destination(store).deliver(permit, parcel(SMALL), gate)
    assert (store.objects(), store.uploads(), gate.asked) == ({}, [], 0)


async def test_a_gate_that_shuts_at_the_commit_leaves_nothing(
    store: S3Sink, permit: Permit, parcel: Make, gate: Any
) -> None:
    gate.error = LookupError("shut")
    with pytest.raises(LookupError, match="shut"):
        await destination(store).deliver(permit, parcel(SMALL), gate)
    assert "CompleteMultipartUpload" not in store.operations
    assert (store.objects(), store.uploads()) == ({}, [])


async def test_cancelled_in_the_middle_of_the_upload_it_leaves_nothing(
    store: S3Sink, permit: Permit, gate: Any
) -> None:
    async def endless() -> AsyncIterator[bytes]:
        yield LARGE
        await asyncio.Event().wait()

    unended = Parcel(NAME, "s/d/1", "application/pdf", 10 * len(LARGE), endless, NOW.utc)
    task = asyncio.create_task(destination(store).deliver(permit, unended, gate))
    await store.until(lambda s: any(r.method == "PUT" and r.status == 200 for r in s.requests))
    assert store.uploads() == [KEY]
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (store.objects(), store.uploads(), gate.asked) == ({}, [], 0)


async def test_cancelled_while_a_part_is_on_its_way_it_leaves_nothing(
    store: S3Sink, permit: Permit, parcel: Make, gate: Any
) -> None:
    store.misbehave(Fault("PUT", Trouble.SLOW_BODY, pause_s=0.2))
    task = asyncio.create_task(destination(store).deliver(permit, parcel(LARGE), gate))
    await store.until(lambda s: "UploadPart" in s.operations)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (store.objects(), store.uploads(), gate.asked) == ({}, [], 0)


async def test_cancelled_while_it_waits_for_the_gate_it_leaves_nothing(
    store: S3Sink, permit: Permit, parcel: Make
) -> None:
    asked = asyncio.Event()

    async def never() -> None:
        asked.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(destination(store).deliver(permit, parcel(SMALL), never))
    await asked.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (store.objects(), store.uploads()) == ({}, [])


async def test_an_upload_whose_beginning_was_never_answered_is_aborted_all_the_same(
    store: S3Sink, permit: Permit, parcel: Make, gate: Any
) -> None:
    store.misbehave(Fault("POST", Trouble.DROP_REPLY))
    with pytest.raises(Unavailable):
        await destination(store).deliver(permit, parcel(SMALL), gate)
    assert "CreateMultipartUpload" in store.operations
    assert store.uploads() == []


async def test_what_an_earlier_attempt_left_is_aborted_and_nothing_else(
    store: S3Sink, permit: Permit, parcel: Make, gate: Any
) -> None:
    store.backend.create_multipart_upload(store.bucket, KEY, {}, "STANDARD", {}, None, None, None)
    store.backend.create_multipart_upload(store.bucket, KEY + ".other", {}, "STANDARD", {}, None, None, None)
    await destination(store).deliver(permit, parcel(SMALL), gate)
    assert store.uploads() == [KEY + ".other"]


@pytest.mark.parametrize("claimed", [len(SMALL) - 1, len(SMALL) + 1])
async def test_a_stream_of_another_length_is_never_committed(
    store: S3Sink, permit: Permit, parcel: Make, gate: Any, claimed: int
) -> None:
    with pytest.raises(Unavailable, match="announced"):
        await destination(store).deliver(permit, parcel(SMALL, claimed=claimed), gate)
    assert (store.objects(), store.uploads(), gate.asked) == ({}, [], 0)


@pytest.mark.parametrize("error", [ArithmeticError("seal"), OSError("truncated"), ValueError("page")])
async def test_a_stream_that_breaks_leaves_nothing_and_says_what_broke(
    store: S3Sink, permit: Permit, gate: Any, error: Exception
) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield LARGE
        raise error

    broken_parcel = Parcel(NAME, "s/d/1", "application/pdf", 10**8, broken, NOW.utc)
    with pytest.raises(type(error), match=str(error)):
        await destination(store).deliver(permit, broken_parcel, gate)
    assert (store.objects(), store.uploads()) == ({}, [])


async def test_a_store_that_stops_taking_the_upload_is_given_up(
    store: S3Sink, permit: Permit, parcel: Make, gate: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3_http, "STALL_S", 0.3)
    store.misbehave(Fault("PUT", Trouble.SLOW_BODY, pause_s=1.5))
    with pytest.raises(Unavailable, match="stopped taking"):
        await destination(store).deliver(permit, parcel(LARGE), gate)
    assert gate.asked == 0


async def test_the_same_document_again_is_a_success_without_a_second_commit(
    store: S3Sink, permit: Permit, parcel: Make, gate: Any
) -> None:
    first = await destination(store).deliver(permit, parcel(SMALL), gate)
    assert await destination(store).deliver(permit, parcel(SMALL), gate) == first
    assert gate.asked == 1
    assert store.operations.count("CreateMultipartUpload") == 1


@pytest.mark.parametrize("other", [b"shorter", SMALL[:-1] + b"\0"])
async def test_another_object_of_that_name_is_never_overwritten(
    store: S3Sink, permit: Permit, parcel: Make, gate: Any, other: bytes
) -> None:
    store.put(KEY, other)
    with pytest.raises(Rejected, match="already"):
        await destination(store).deliver(permit, parcel(SMALL), gate)
    assert store.objects() == {KEY: other}
    assert gate.asked == 0


@pytest.mark.parametrize("condition", [Condition.HONOURED, Condition.REFUSED])
@pytest.mark.parametrize("same", [True, False])
async def test_a_name_taken_during_the_commit_is_not_overwritten(
    store: S3Sink, permit: Permit, parcel: Make, condition: Condition, same: bool
) -> None:
    store.condition = condition
    theirs = SMALL if same else b"theirs"

    async def racer() -> None:
        store.put(KEY, theirs)

    if same:
        proof = await destination(store).deliver(permit, parcel(SMALL), racer)
        assert proof.sha256 == hashlib.sha256(SMALL).hexdigest()
    else:
        with pytest.raises(Rejected, match="already"):
            await destination(store).deliver(permit, parcel(SMALL), racer)
    assert (store.objects(), store.uploads()) == ({KEY: theirs}, [])


@pytest.mark.parametrize("condition", [Condition.IGNORED, Condition.REFUSED])
async def test_a_store_without_conditions_still_gets_the_document(
    store: S3Sink, permit: Permit, parcel: Make, gate: Any, condition: Condition
) -> None:
    store.condition = condition
    await destination(store).deliver(permit, parcel(SMALL), gate)
    assert store.objects() == {KEY: SMALL}
    assert gate.asked == 1


@pytest.mark.parametrize("condition", list(Condition))
async def test_a_name_taken_during_the_upload_is_not_overwritten_by_any_store(
    store: S3Sink, permit: Permit, gate: Any, condition: Condition
) -> None:
    store.condition = condition

    async def slow() -> AsyncIterator[bytes]:
        yield LARGE
        store.put(KEY, b"theirs")

    racing = Parcel(NAME, "s/d/1", "application/pdf", len(LARGE), slow, NOW.utc)
    with pytest.raises(Unavailable, match="during the upload"):
        await destination(store).deliver(permit, racing, gate)
    assert (store.objects(), store.uploads(), gate.asked) == ({KEY: b"theirs"}, [], 0)


async def test_a_conflict_that_nothing_has_won_is_tried_again(store: S3Sink, permit: Permit, parcel: Make) -> None:
    async def commit() -> None:
        store.answers.append(Answer("CompleteMultipartUpload", 409, "ConditionalRequestConflict"))

    with pytest.raises(Unavailable, match="sent again"):
        await destination(store).deliver(permit, parcel(SMALL), commit)
    assert (store.objects(), store.uploads()) == ({}, [])


async def test_a_large_document_takes_the_memory_of_a_few_parts(permit: Permit, gate: Any) -> None:
    count, piece = 160, os.urandom(1024 * 1024)

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(count):
            yield piece

    large = Parcel(NAME, "s/d/1", "application/pdf", count * len(piece), chunks, NOW.utc)
    async with serving(sink := Sink(), Forgetful(large.byte_count)):
        account = Account(URL(sink.url), "us-east-1", "bucket", "key", "secret")
        tracemalloc.start()
        try:
            await S3Destination(account, "", LOCAL).deliver(permit, large, gate)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert sink.bytes_received > large.byte_count
    assert peak < 8 * PART_BYTES  # of which the library's description of S3 takes two


class Forgetful:
    """A store that takes everything and keeps only whether it was completed."""

    def __init__(self, byte_count: int) -> None:
        self._byte_count, self._done = byte_count, False

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        left = int(environ.get("CONTENT_LENGTH") or 0)
        while left > 0 and (data := environ["wsgi.input"].read(min(left, 65536))):
            left -= len(data)
        method, query = environ["REQUEST_METHOD"], environ["QUERY_STRING"]
        text, headers, status = b"<x><UploadId>u</UploadId></x>", [("ETag", '"e"')], "200 OK"
        if method == "HEAD":
            status, text = ("200 OK" if self._done else "404 Not Found"), b""
            headers.append(("Content-Length", str(self._byte_count if self._done else 0)))
        else:
            headers.append(("Content-Length", str(len(text))))
        self._done |= method == "POST" and "uploadId=" in query
        start_response(status, headers)
        return iter((text,))
