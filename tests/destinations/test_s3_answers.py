"""What an S3 store may answer, or not answer, and where nothing is sent at all."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from gateway.core.gate import Permit
from gateway.destinations.net import Guard
from gateway.destinations.port import DestinationError, Proof, Rejected, ReplyLost, Trace, Unavailable
from gateway.destinations.s3_client import _session
from simulator.sinks import Answer, Fault, S3Sink, Sink, Trouble, s3_sink
from simulator.sinks.serving import serving
from tests.destinations.s3_rig import KEY, LARGE, SMALL, Make, destination


@pytest.fixture
async def store() -> AsyncIterator[S3Sink]:
    async with s3_sink() as sink:
        yield sink


async def test_a_reply_lost_after_the_completion_took_effect_is_found_again(
    store: S3Sink, permit: Permit, parcel: Make
) -> None:
    async def commit() -> None:
        store.misbehave(Fault("POST", Trouble.DROP_REPLY))

    with pytest.raises(ReplyLost):
        await destination(store).deliver(permit, parcel(LARGE), commit)
    assert store.operations.count("CompleteMultipartUpload") == 1
    found = await destination(store).reconcile(permit, parcel(LARGE))
    assert isinstance(found, Proof)
    assert found.sha256 == hashlib.sha256(LARGE).hexdigest()
    assert store.operations.count("CompleteMultipartUpload") == 1


async def test_a_reply_lost_before_the_completion_took_effect_is_found_absent_and_tidied(
    store: S3Sink, permit: Permit, parcel: Make
) -> None:
    async def commit() -> None:
        store.misbehave(Fault("POST", Trouble.DROP))

    with pytest.raises(ReplyLost):
        await destination(store).deliver(permit, parcel(SMALL), commit)
    assert store.uploads() == [KEY]
    assert await destination(store).reconcile(permit, parcel(SMALL)) is Trace.ABSENT
    assert (store.objects(), store.uploads()) == ({}, [])


@pytest.mark.parametrize(("status", "code"), [(500, "InternalError"), (200, "InternalError"), (502, ""), (504, "")])
@pytest.mark.parametrize("does", [True, False])
async def test_a_breakdown_during_the_completion_is_no_answer(
    store: S3Sink, permit: Permit, parcel: Make, status: int, code: str, does: bool
) -> None:
    async def commit() -> None:
        store.answers.append(Answer("CompleteMultipartUpload", status, code, does=does))

    with pytest.raises(ReplyLost):
        await destination(store).deliver(permit, parcel(SMALL), commit)
    found = await destination(store).reconcile(permit, parcel(SMALL))
    assert isinstance(found, Proof) if does else found is Trace.ABSENT
    assert store.uploads() == []


@pytest.mark.parametrize("body", [b"", b"<Comp", b"<html>", b"<!DOCTYPE html><html></html>", b"\0" * 2**21])
async def test_a_success_that_says_something_else_is_not_believed_without_the_object(
    store: S3Sink, permit: Permit, parcel: Make, body: bytes
) -> None:
    async def commit() -> None:
        store.answers.append(Answer("CompleteMultipartUpload", 200, body=body))

    with pytest.raises(ReplyLost):
        await destination(store).deliver(permit, parcel(SMALL), commit)
    assert await destination(store).reconcile(permit, parcel(SMALL)) is Trace.ABSENT


@pytest.mark.parametrize(
    ("status", "code", "error", "words"),
    [
        (200, "SlowDown", Unavailable, "slow down"),
        (503, "SlowDown", Unavailable, "slow down"),
        (403, "AccessDenied", Rejected, "s3:PutObject"),
        (400, "EntityTooLarge", Rejected, "too large"),
        (404, "NoSuchUpload", Unavailable, "sent again"),
    ],
)
async def test_a_refused_completion_is_told_and_leaves_nothing(
    store: S3Sink, permit: Permit, parcel: Make, status: int, code: str, error: type[DestinationError], words: str
) -> None:
    async def commit() -> None:
        store.answers.append(Answer("CompleteMultipartUpload", status, code))

    with pytest.raises(error, match=words):
        await destination(store).deliver(permit, parcel(SMALL), commit)
    assert (store.objects(), store.uploads()) == ({}, [])


async def test_a_document_that_is_not_shown_after_the_completion_is_not_delivered(
    store: S3Sink, permit: Permit, parcel: Make
) -> None:
    async def commit() -> None:
        store.answers.append(Answer("HEAD", 503, "SlowDown"))

    with pytest.raises(ReplyLost, match="does not show"):
        await destination(store).deliver(permit, parcel(SMALL), commit)


async def test_reconcile_does_not_take_another_object_for_ours(store: S3Sink, permit: Permit, parcel: Make) -> None:
    store.put(KEY, SMALL[:-1] + b"\0")
    assert await destination(store).reconcile(permit, parcel(SMALL)) is Trace.ABSENT
    assert list(store.objects()) == [KEY]


async def test_reconcile_says_nothing_while_the_store_does_not_answer(
    store: S3Sink, permit: Permit, parcel: Make
) -> None:
    store.misbehave(Fault("HEAD", Trouble.DROP, times=2))
    with pytest.raises(Unavailable):
        await destination(store).reconcile(permit, parcel(SMALL))


OPERATIONS = ["ListMultipartUploads", "CreateMultipartUpload", "UploadPart"]
REFUSALS = [
    (403, "InvalidAccessKeyId", Rejected, "access key"),
    (403, "SignatureDoesNotMatch", Rejected, "secret key"),
    (403, "RequestTimeTooSkewed", Unavailable, "clocks"),
    (404, "NoSuchBucket", Rejected, "bucket does not exist"),
    (503, "SlowDown", Unavailable, "slow down"),
    (500, "InternalError", Unavailable, "InternalError"),
    (418, "X" * 100, Rejected, "HTTP 418"),
]


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize(("status", "code", "error", "words"), REFUSALS)
async def test_a_refusal_is_told_by_its_code_once_and_leaves_nothing(
    store: S3Sink,
    permit: Permit,
    parcel: Make,
    gate: Any,
    operation: str,
    status: int,
    code: str,
    error: type[DestinationError],
    words: str,
) -> None:
    store.answers.append(Answer(operation, status, code))
    with pytest.raises(error, match=words) as caught:
        await destination(store).deliver(permit, parcel(SMALL), gate)
    assert "XXX" not in str(caught.value)
    assert store.answers == []
    assert "CompleteMultipartUpload" not in store.operations
    assert (store.objects(), store.uploads(), gate.asked) == ({}, [], 0)


@pytest.mark.parametrize(("status", "error"), [(403, Rejected), (400, Rejected), (503, Unavailable), (301, Rejected)])
async def test_a_refused_look_is_told_by_its_status(
    store: S3Sink, permit: Permit, parcel: Make, gate: Any, status: int, error: type[DestinationError]
) -> None:
    store.answers.append(Answer("HEAD", status))
    with pytest.raises(error, match=str(status)):
        await destination(store).deliver(permit, parcel(SMALL), gate)
    assert store.operations == ["ListMultipartUploads", "HEAD"]


HOSTILE = [
    b"<a>" * 5000 + b"</a>" * 5000,
    b"<Error><Code><x/></Code><Region><y/></Region></Error>",
    b"<Error><Code>A</Code><Code>B</Code></Error>",
    b"<x><Error>text</Error></x>",
    b"<x><Upload><Key/></Upload><Upload>text</Upload><UploadId><z/></UploadId></x>",
    b"<!doctype x [<!ENTITY a 'aaaa'><!ENTITY b '&a;&a;&a;'>]><Error><Code>&b;</Code></Error>",
    b"\xff\xfe\0",
    b" " * 2**21,
]


@pytest.mark.parametrize("operation", ["ListMultipartUploads", "CreateMultipartUpload"])
@pytest.mark.parametrize("status", [200, 403, 500])
@pytest.mark.parametrize("body", HOSTILE)
async def test_an_answer_that_is_not_what_s3_says_is_an_error_in_words(
    store: S3Sink, permit: Permit, parcel: Make, operation: str, status: int, body: bytes, gate: Any
) -> None:
    gate.error = Rejected("harmless")
    store.answers.append(Answer(operation, status, body=body))
    with pytest.raises((Rejected, Unavailable)):
        await destination(store).deliver(permit, parcel(SMALL), gate)


async def test_an_answer_without_an_end_is_not_read_to_it(
    store: S3Sink, permit: Permit, parcel: Make, gate: Any
) -> None:
    store.answers.append(Answer("ListMultipartUploads", 200, body=b"<x>" + b" " * 2**21 + b"</x>"))
    with pytest.raises(Unavailable, match="too long"):
        await destination(store).deliver(permit, parcel(SMALL), gate)


@pytest.mark.parametrize("header", ["Last-Modified", "Content-Length", "x-amz-mp-parts-count", "x-amz-expiration"])
async def test_a_look_with_senseless_headers_is_an_error_in_words(
    store: S3Sink, permit: Permit, parcel: Make, header: str
) -> None:
    store.answers.append(Answer("HEAD", 200, headers=((header, "-1 \xe9"),)))
    with pytest.raises((Rejected, Unavailable)):
        await destination(store).deliver(permit, parcel(SMALL), lambda: asyncio.sleep(0))


async def test_a_key_that_may_not_list_uploads_still_delivers(
    store: S3Sink, permit: Permit, parcel: Make, gate: Any
) -> None:
    store.answers.append(Answer("ListMultipartUploads", 403, "AccessDenied"))
    await destination(store).deliver(permit, parcel(SMALL), gate)
    assert store.objects() == {KEY: SMALL}


@pytest.mark.parametrize(("value", "seconds"), [("120", 120.0), ("soon", None), ("9" * 40, None)])
async def test_the_store_may_say_when_to_try_again(
    store: S3Sink, permit: Permit, parcel: Make, gate: Any, value: str, seconds: float | None
) -> None:
    store.answers.append(Answer("UploadPart", 503, "SlowDown", headers=(("Retry-After", value),)))
    with pytest.raises(Unavailable) as caught:
        await destination(store).deliver(permit, parcel(SMALL), gate)
    assert caught.value.retry_after_s == seconds
    assert store.operations.count("UploadPart") == 1


async def test_the_wrong_region_is_told_with_the_right_one_and_not_followed(store: S3Sink) -> None:
    with pytest.raises(Rejected, match="region 'us-east-1'"):
        await destination(store, region="eu-central-1").probe()
    assert store.operations == ["ListMultipartUploads"]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("elsewhere", [True, False])
async def test_a_redirect_is_not_followed(
    store: S3Sink, permit: Permit, parcel: Make, gate: Any, status: int, elsewhere: bool
) -> None:
    async with serving(other := Sink(), lambda *_: iter(())):
        target = (other if elsewhere else store).url
        store.answers.append(Answer("UploadPart", status, headers=(("Location", f"{target}/x"),)))
        with pytest.raises(Rejected, match="redirects"):
            await destination(store).deliver(permit, parcel(SMALL), gate)
        assert other.requests == []
    assert not [r for r in store.requests if r.path == "/x"]
    assert store.operations.count("UploadPart") == 1


@pytest.mark.parametrize("wrong", [{"access_key": "AKIAOTHER"}, {"secret_key": "other"}, {"bucket": "no-such-bucket"}])
async def test_wrong_credentials_or_a_wrong_bucket_are_told_before_a_byte_of_the_document_is_sent(
    store: S3Sink, permit: Permit, parcel: Make, gate: Any, wrong: dict[str, str]
) -> None:
    words = {"access_key": "access key", "secret_key": "secret key", "bucket": "bucket does not exist"}[
        next(iter(wrong))
    ]
    with pytest.raises(Rejected, match=words):
        await destination(store, **wrong).probe()
    with pytest.raises(Rejected, match=words):
        await destination(store, **wrong).deliver(permit, parcel(SMALL), gate)
    assert "UploadPart" not in store.operations


async def test_nothing_of_the_environment_or_of_the_home_directory_is_used(
    store: S3Sink, permit: Permit, parcel: Make, gate: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    model = tmp_path / ".aws" / "models" / "s3" / "2006-03-01" / "service-2.json"
    model.parent.mkdir(parents=True)
    model.write_text("{}")
    monkeypatch.setattr("botocore.loaders.Loader.CUSTOMER_DATA_PATH", str(tmp_path / ".aws" / "models"))
    (tmp_path / ".aws" / "config").write_text("[default]\nregion = eu-north-1\ns3 =\n  addressing_style = virtual\n")
    (tmp_path / ".aws" / "credentials").write_text("[default]\naws_access_key_id = a\naws_secret_access_key = b\n")
    dead = "http://127.0.0.1:9"
    environment = {
        "HOME": str(tmp_path),
        "AWS_ACCESS_KEY_ID": "env",
        "AWS_SECRET_ACCESS_KEY": "env",
        "AWS_SESSION_TOKEN": "env",
        "AWS_PROFILE": "nobody",
        "AWS_REGION": "eu-north-1",
        "AWS_DEFAULT_REGION": "eu-north-1",
        "AWS_DATA_PATH": str(tmp_path / ".aws" / "models"),
        "AWS_ENDPOINT_URL": dead,
        "AWS_ENDPOINT_URL_S3": dead,
        "AWS_CA_BUNDLE": "/nowhere",
        "REQUESTS_CA_BUNDLE": "/nowhere",
        "AWS_MAX_ATTEMPTS": "7",
        "AWS_REQUEST_CHECKSUM_CALCULATION": "when_supported",
        "HTTP_PROXY": dead,
        "http_proxy": dead,
        "ALL_PROXY": dead,
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    _session.cache_clear()
    try:
        await destination(store).deliver(permit, parcel(SMALL), gate)
    finally:
        _session.cache_clear()
    assert store.objects() == {KEY: SMALL}
    assert not any("x-amz-security-token" in r.headers or "env" in r.headers["authorization"] for r in store.requests)
    assert all(r.headers["user-agent"].startswith("scansnap-gateway") for r in store.requests)
    assert not any(name.startswith("x-amz-checksum") for r in store.requests for name in r.headers)


async def test_a_probe_tries_every_right_and_leaves_nothing(store: S3Sink) -> None:
    await destination(store).probe()
    assert store.operations == ["ListMultipartUploads", "HEAD", "CreateMultipartUpload", "AbortMultipartUpload"]
    assert (store.objects(), store.uploads(), store.bytes_received) == ({}, [], 0)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_an_endpoint_that_is_not_allowed_is_never_contacted(
    store: S3Sink, permit: Permit, parcel: Make, gate: Any, host: str
) -> None:
    sink = destination(store, guard=Guard((), ()), url=store.url.replace("127.0.0.1", host))
    with pytest.raises(Rejected, match="allow ="):
        await sink.deliver(permit, parcel(SMALL), gate)
    with pytest.raises(Rejected, match="allow ="):
        await sink.reconcile(permit, parcel(SMALL))
    with pytest.raises(Rejected, match="allow ="):
        await sink.probe()
    assert store.requests == []


async def test_nobody_listening_is_retried_later(permit: Permit, parcel: Make, gate: Any) -> None:
    async with s3_sink() as gone:
        sink = destination(gone)
    with pytest.raises(Unavailable, match="connection"):
        await sink.deliver(permit, parcel(SMALL), gate)
