"""The webhook destination against a receiver that checks signatures with its own code and misbehaves on request."""

import asyncio
import base64
import hashlib
import json
import textwrap
import time
import tracemalloc
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from yarl import URL

from gateway.core.gate import Permit
from gateway.core.model import Filing
from gateway.destinations import signing, upload, webhook
from gateway.destinations.net import Guard
from gateway.destinations.port import DestinationError, Parcel, Rejected, ReplyLost, Trace, Unavailable
from gateway.destinations.webhook import KIND, WebhookDestination
from simulator.sinks import Fault, Trouble, WebhookSink, webhook_sink
from tests.destinations.conftest import NOW
from tests.destinations.mailbox import certificate

DATA = bytes(range(256)) * 3000
NAME = "2024-05-06 scan é.pdf"
FILED = Filing(title="Rechnung für Müller 🧾", correspondent="Müller & Söhne", tags=("Steuer 2024", "領収書"))
SHA256 = hashlib.sha256(DATA).hexdigest()
Make = Callable[..., Parcel]


@pytest.fixture
async def receiver() -> AsyncIterator[WebhookSink]:
    async with webhook_sink() as sink:
        yield sink


def destination(receiver: WebhookSink, *, secret: str | None = None, guard: Guard | None = None) -> WebhookDestination:
    allowed = guard or Guard(("127.0.0.0/8",), ())
    return WebhookDestination(URL(receiver.url), signing.key_of(secret or receiver.secret), allowed)


async def test_a_document_arrives_whole_and_signed_with_a_proof(
    receiver: WebhookSink, permit: Permit, parcel: Make, gate: Any
) -> None:
    proof = await destination(receiver).deliver(permit, parcel(DATA), gate)
    (taken,) = receiver.taken.values()
    assert taken.body == DATA
    assert taken.media_type == "application/pdf"
    assert receiver.refused == []
    assert proof.location == receiver.url
    assert proof.remote_id == f"doc-{taken.id[:8]}"
    assert (proof.byte_count, proof.sha256) == (len(DATA), SHA256)
    assert gate.asked == 1


async def test_everything_there_is_to_say_is_in_the_signed_payload(
    receiver: WebhookSink, permit: Permit, parcel: Make, gate: Any
) -> None:
    await destination(receiver).deliver(permit, parcel(DATA, filing=FILED), gate)
    (taken,) = receiver.taken.values()
    assert taken.about == {
        "type": "document",
        "at": "2024-05-06T07:08:09+00:00",
        "name": NAME,
        "media_type": "application/pdf",
        "byte_count": len(DATA),
        "sha256": SHA256,
        "title": FILED.title,
        "correspondent": FILED.correspondent,
        "tags": list(FILED.tags),
    }
    assert taken.headers["webhook-payload"].isascii()


async def test_every_attempt_has_the_same_id_and_another_parcel_has_another(
    receiver: WebhookSink, permit: Permit, parcel: Make, gate: Any
) -> None:
    sink = destination(receiver)
    for key in ("s/d/1", "s/d/1", "s/d/2"):
        await sink.deliver(permit, parcel(DATA, key=key), gate)
    posts = [r.headers for r in receiver.requests]
    assert posts[0]["idempotency-key"] == posts[1]["idempotency-key"] == f'"{posts[0]["webhook-id"]}"'
    assert posts[2]["webhook-id"] not in (posts[0]["webhook-id"], "s/d/2")
    assert len(receiver.taken) == 2


def recipe() -> Callable[..., dict[str, Any]]:
    """The code that the module's docstring gives to people who write a receiver."""
    text = webhook.__doc__ or ""
    code: dict[str, Any] = {}
    exec(textwrap.dedent(text[text.index("    import base64") :]), code)
    return code["received"]  # type: ignore[no-any-return]


async def test_the_recipe_in_the_docstring_takes_what_we_send_and_nothing_else(
    receiver: WebhookSink, permit: Permit, parcel: Make, gate: Any
) -> None:
    await destination(receiver).deliver(permit, parcel(DATA, filing=FILED), gate)
    (taken,) = receiver.taken.values()
    headers = {name.title(): value for name, value in taken.headers.items()}
    received, now_s = recipe(), time.time()
    assert received(receiver.secret, headers, DATA, now_s)["title"] == FILED.title
    with pytest.raises(ValueError, match="document"):
        received(receiver.secret, headers, DATA + b"x", now_s)
    for name in ("Webhook-Id", "Webhook-Payload"):
        with pytest.raises(PermissionError):
            received(receiver.secret, headers | {name: headers[name].replace("a", "b")}, DATA, now_s)
    with pytest.raises(PermissionError):
        received(receiver.secret, headers, DATA, now_s + 4000)
    other = "whsec_" + base64.b64encode(bytes(32)).decode()
    with pytest.raises(PermissionError):
        received(other, headers, DATA, now_s)


def test_a_signature_is_that_of_the_specification() -> None:
    # github.com/standard-webhooks/standard-webhooks, libraries/python/tests/test_webhooks.py, test_sign_function
    key = signing.key_of("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    at = datetime.fromtimestamp(1614265330, UTC)
    headers = signing.signed(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", at, b'{"test": 2432232314}')
    assert headers["Webhook-Signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize("text", ["A" * 32, "whsec_" + "A" * 32, base64.b64encode(bytes(40)).decode().rstrip("=")])
def test_a_secret_is_base64_with_or_without_prefix_and_padding(text: str) -> None:
    assert 24 <= len(signing.key_of(text)) <= 64


@pytest.mark.parametrize(
    "text", ["", "whsec_", "short", "pass word pass word pass word pass word!", "A" * 31, "A" * 90]
)
def test_a_weak_secret_is_refused_without_being_repeated(text: str) -> None:
    with pytest.raises(Rejected) as caught:
        signing.key_of(text)
    assert not text or text not in str(caught.value)


async def test_the_last_64_kib_wait_for_the_commit(receiver: WebhookSink, permit: Permit, parcel: Make) -> None:
    seen: list[int] = []

    async def look() -> None:
        await receiver.until(lambda r: r.bytes_received >= len(DATA) - 2 * upload.HELD_BYTES)
        seen.extend((len(receiver.taken), receiver.bytes_received))

    await destination(receiver).deliver(permit, parcel(DATA), look)
    assert seen[0] == 0
    assert seen[1] <= len(DATA) - upload.HELD_BYTES
    assert len(receiver.taken) == 1


@pytest.mark.parametrize("size", [100, len(DATA)])
@pytest.mark.parametrize("error", [LookupError("shut"), OSError("disk"), TimeoutError("gate"), Unavailable("later")])
async def test_a_gate_that_shuts_at_the_commit_comes_out_as_it_is_and_leaves_nothing(
    receiver: WebhookSink, permit: Permit, parcel: Make, gate: Any, error: Exception, size: int
) -> None:
    gate.error = error
    with pytest.raises(type(error)) as caught:
        await destination(receiver).deliver(permit, parcel(DATA[:size]), gate)
    assert caught.value is error
    assert receiver.taken == {}


async def test_cancelled_while_it_waits_for_the_gate_it_leaves_nothing(
    receiver: WebhookSink, permit: Permit, parcel: Make
) -> None:
    asked = asyncio.Event()

    async def never() -> None:
        asked.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(destination(receiver).deliver(permit, parcel(DATA), never))
    await asked.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert receiver.taken == {}
    assert receiver.bytes_received <= len(DATA) - upload.HELD_BYTES


@pytest.mark.parametrize("claimed", [len(DATA) - 1, len(DATA) + 1])
async def test_a_stream_of_another_length_is_never_sent(
    receiver: WebhookSink, permit: Permit, parcel: Make, gate: Any, claimed: int
) -> None:
    with pytest.raises(Unavailable, match="announced"):
        await destination(receiver).deliver(permit, parcel(DATA, claimed=claimed), gate)
    assert receiver.requests == []
    assert gate.asked == 0


@pytest.mark.parametrize("error", [ArithmeticError("seal"), OSError("truncated")])
async def test_a_stream_that_breaks_the_second_time_leaves_nothing_and_says_what_broke(
    receiver: WebhookSink, permit: Permit, gate: Any, error: Exception
) -> None:
    opened: list[int] = []

    def open_() -> AsyncIterator[bytes]:
        async def chunks() -> AsyncIterator[bytes]:
            yield DATA
            if len(opened) > 1:
                raise error
            yield DATA

        opened.append(1)
        return chunks()

    with pytest.raises(type(error), match=str(error)):
        await destination(receiver).deliver(
            permit, Parcel(NAME, "s/d/1", "application/pdf", 2 * len(DATA), open_, NOW.utc), gate
        )
    assert receiver.taken == {}
    assert gate.asked == 0


@pytest.mark.parametrize(
    ("status", "error", "words"),
    [
        (301, Rejected, "redirect"),
        (400, Rejected, "400"),
        (401, Rejected, "same secret"),
        (403, Rejected, "same secret"),
        (404, Rejected, "does not exist"),
        (405, Rejected, "POST"),
        (409, Unavailable, "earlier attempt"),
        (413, Rejected, "too large"),
        (415, Rejected, "type"),
        (422, Rejected, "cannot do anything"),
        (429, Unavailable, "slow down"),
        (500, Unavailable, "500"),
        (503, Unavailable, "503"),
    ],
)
async def test_a_refusal_is_told_by_its_status(
    receiver: WebhookSink,
    permit: Permit,
    parcel: Make,
    gate: Any,
    status: int,
    error: type[DestinationError],
    words: str,
) -> None:
    receiver.misbehave(Fault("POST", Trouble.STATUS, status, headers=(("Retry-After", "7"),)))
    with pytest.raises(error, match=words) as caught:
        await destination(receiver).deliver(permit, parcel(DATA), gate)
    assert receiver.taken == {}
    if isinstance(caught.value, Unavailable):
        assert caught.value.retry_after_s == 7.0


@pytest.mark.parametrize("status", [200, 202])
async def test_success_before_the_last_byte_does_not_count_and_the_commit_is_not_asked_for(
    receiver: WebhookSink, permit: Permit, parcel: Make, gate: Any, status: int
) -> None:
    receiver.misbehave(Fault("POST", Trouble.EARLY, status))
    with pytest.raises(Unavailable):
        await destination(receiver).deliver(permit, endless(), gate)
    assert gate.asked == 0
    assert receiver.taken == {}


async def test_success_while_the_gate_is_asked_does_not_count_either(
    receiver: WebhookSink, permit: Permit, parcel: Make
) -> None:
    cancelled = asyncio.Event()

    async def never() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise

    receiver.misbehave(Fault("POST", Trouble.EARLY, 200))
    with pytest.raises(Unavailable, match="before it had the document"):
        await destination(receiver).deliver(permit, parcel(bytes(upload.HELD_BYTES + 1)), never)
    assert cancelled.is_set()


@pytest.mark.parametrize("trouble", [Trouble.DROP, Trouble.DROP_REPLY])
async def test_no_answer_after_the_last_byte_is_uncertain_and_nobody_can_tell(
    receiver: WebhookSink, permit: Permit, parcel: Make, gate: Any, trouble: Trouble
) -> None:
    receiver.misbehave(Fault("POST", trouble))
    sink = destination(receiver)
    with pytest.raises(ReplyLost):
        await sink.deliver(permit, parcel(b"a short document"), gate)
    assert len(receiver.taken) == (trouble is Trouble.DROP_REPLY)
    assert await sink.reconcile(permit, parcel(b"a short document")) is Trace.UNKNOWABLE


@pytest.mark.parametrize("status", [502, 504])
async def test_a_proxys_word_about_a_whole_document_is_not_believed(
    receiver: WebhookSink, permit: Permit, parcel: Make, gate: Any, status: int
) -> None:
    receiver.misbehave(Fault("POST", Trouble.STATUS_AFTER, status))
    with pytest.raises(ReplyLost, match="proxy"):
        await destination(receiver).deliver(permit, parcel(DATA), gate)


async def test_a_connection_lost_in_the_middle_is_retried_later(
    receiver: WebhookSink, permit: Permit, parcel: Make, gate: Any
) -> None:
    receiver.misbehave(Fault("POST", Trouble.RESET, at_byte=100_000))
    with pytest.raises(Unavailable):
        await destination(receiver).deliver(permit, endless(), gate)
    assert receiver.taken == {}
    assert gate.asked == 0


async def test_a_receiver_that_names_nothing_has_taken_it_all_the_same(
    receiver: WebhookSink, permit: Permit, parcel: Make, gate: Any
) -> None:
    receiver.names_what_it_took = False
    proof = await destination(receiver).deliver(permit, parcel(DATA), gate)
    assert proof.remote_id == ""


@pytest.mark.parametrize(("location", "identity"), [("/documents/7", "/documents/7"), ("x" * 900, "x" * 200)])
async def test_a_location_is_a_name_too(
    receiver: WebhookSink, permit: Permit, parcel: Make, gate: Any, location: str, identity: str
) -> None:
    receiver.misbehave(Fault("POST", Trouble.STATUS, 201, headers=(("Location", location),)))
    proof = await destination(receiver).deliver(permit, parcel(DATA), gate)
    assert proof.remote_id == identity


async def test_a_wrong_secret_is_told_in_words(receiver: WebhookSink, permit: Permit, parcel: Make, gate: Any) -> None:
    sink = destination(receiver, secret="A" * 32)
    with pytest.raises(Rejected, match="same secret"):
        await sink.deliver(permit, parcel(DATA), gate)
    with pytest.raises(Rejected, match="same secret"):
        await sink.probe()
    assert receiver.taken == {}


async def test_a_probe_is_signed_and_carries_nothing(receiver: WebhookSink) -> None:
    await destination(receiver).probe()
    (asked,) = receiver.requests
    assert (asked.method, asked.bytes_received, asked.status) == ("POST", 0, 200)
    assert json.loads(asked.headers["webhook-payload"])["type"] == "test"
    assert receiver.taken == {}


@pytest.mark.parametrize(("status", "words"), [(302, "redirect"), (404, "does not exist"), (502, "proxy")])
async def test_a_probe_says_what_failed(receiver: WebhookSink, status: int, words: str) -> None:
    receiver.misbehave(Fault("POST", Trouble.STATUS, status))
    with pytest.raises(DestinationError, match=words):
        await destination(receiver).probe()


async def test_too_much_to_say_is_refused_before_anything_is_sent(
    receiver: WebhookSink, permit: Permit, parcel: Make, gate: Any
) -> None:
    talkative = Filing(tags=tuple("🧾" * 128 for _ in range(20)))
    with pytest.raises(Rejected, match="too long"):
        await destination(receiver).deliver(permit, parcel(DATA, filing=talkative), gate)
    assert receiver.requests == []


async def test_memory_stays_flat_for_a_large_document(receiver: WebhookSink, permit: Permit, gate: Any) -> None:
    piece = bytes(64 * 1024)

    async def large() -> AsyncIterator[bytes]:
        for _ in range(512):
            yield piece

    receiver.keeps_bodies = False
    big = Parcel(NAME, "s/d/1", "application/pdf", 512 * len(piece), large, NOW.utc)
    tracemalloc.start()
    try:
        await destination(receiver).deliver(permit, big, gate)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(receiver.taken) == 1
    assert most < 8 * 1024 * 1024


async def test_a_bad_certificate_gets_no_byte(permit: Permit, parcel: Make, gate: Any, tmp_path: Path) -> None:
    certificate(tmp_path)
    pem = tmp_path / "server.pem"
    async with webhook_sink(tls=(pem, pem)) as receiver:
        sink = destination(receiver)
        with pytest.raises(Rejected, match="certificate"):
            await sink.deliver(permit, parcel(DATA), gate)
        with pytest.raises(Rejected, match="certificate"):
            await sink.probe()
        assert receiver.requests == []
    assert gate.asked == 0


async def test_an_address_that_is_not_allowed_is_never_contacted(
    receiver: WebhookSink, permit: Permit, parcel: Make, gate: Any
) -> None:
    sink = destination(receiver, guard=Guard((), ()))
    with pytest.raises(Rejected, match="allow ="):
        await sink.deliver(permit, parcel(DATA), gate)
    with pytest.raises(Rejected, match="allow ="):
        await sink.probe()
    assert receiver.requests == []


def test_the_proof_does_not_claim_more_than_an_answer() -> None:
    assert "answered 2xx" in KIND.proves


def endless() -> Parcel:
    """A parcel whose second reading never comes to its end."""
    opened: list[int] = []

    def open_() -> AsyncIterator[bytes]:
        async def chunks() -> AsyncIterator[bytes]:
            yield DATA
            if len(opened) > 1:
                await asyncio.Event().wait()
            yield DATA

        opened.append(1)
        return chunks()

    return Parcel(NAME, "s/d/1", "application/pdf", 2 * len(DATA), open_, NOW.utc)
