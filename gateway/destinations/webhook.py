"""A webhook: one POST whose body is the document, signed before its first byte is sent.

What a receiver gets is the document as it is, and in the header `Webhook-Payload` what there is to say about it: JSON
in plain ASCII with type "document", at, name, media_type, byte_count, sha256, title, correspondent and tags. That
header is what is signed, by the scheme of Standard Webhooks (signing.py), so a receiver knows who is sending before
it reads the body, and then holds the body against the sha256. `Webhook-Id` is the same for every attempt; so is
`Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header-07). `Content-Digest` is that of RFC 9530. A payload of
type "test" comes with an empty body; nothing is to be kept of it. All that a receiver needs:

    import base64, hashlib, hmac, json

    def received(secret: str, headers: dict[str, str], body: bytes, now_s: float) -> dict:
        key = base64.b64decode(secret.removeprefix("whsec_"))
        sent_s, payload = headers["Webhook-Timestamp"], headers["Webhook-Payload"]
        signed = f"{headers['Webhook-Id']}.{sent_s}.{payload}".encode()
        ours = "v1," + base64.b64encode(hmac.digest(key, signed, "sha256")).decode()
        if not hmac.compare_digest(ours, headers["Webhook-Signature"]) or abs(now_s - int(sent_s)) > 3600:
            raise PermissionError("not from the gateway, or sent long ago")
        about = json.loads(payload)
        if hashlib.sha256(body).hexdigest() != about["sha256"]:
            raise ValueError("not the document that was signed")
        return about
"""

import asyncio
import hashlib
import json
import secrets
from base64 import b64encode
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from http import HTTPStatus

import aiohttp
from yarl import URL

from gateway.core.gate import Permit
from gateway.destinations.http import SENTENCES, Http, body
from gateway.destinations.kinds import Field, Kind, Surroundings, Values, check_url, naming
from gateway.destinations.names import plain
from gateway.destinations.net import Guard, web_address
from gateway.destinations.port import Commit, DestinationError, Parcel, Proof, Rejected, ReplyLost, Trace, Unavailable
from gateway.destinations.signing import key_of, signed
from gateway.destinations.upload import Upload, sha256_of

_PAYLOAD_BYTES = 6 * 1024  # common servers take 8 KiB of one header line
_ID_CHARACTERS = 200  # of what the receiver calls the document
_NAME_S = 10.0  # a short answer comes with its status
_EVERY_REQUEST = {"Accept": "application/json", "Accept-Encoding": "identity"}
_NOT_ACCEPTED = "the receiver does not accept the signature; is it the same secret there?"

REFUSALS: dict[int, tuple[bool, str]] = SENTENCES | {
    401: (True, _NOT_ACCEPTED),
    403: (True, _NOT_ACCEPTED),
    404: (True, "the address does not exist on the receiver"),
    405: (True, "the receiver does not take POST at this address"),
    # Section 2.7 of the draft: an earlier attempt is still being worked on, or the key was used for other bytes.
    409: (False, "the receiver is still working on an earlier attempt"),
    422: (True, "the receiver cannot do anything with the document"),
}

# Replies to a whole document that leave open whether it was taken: a proxy's word, the receiver may have it.
_UNDECIDED = (HTTPStatus.BAD_GATEWAY, HTTPStatus.GATEWAY_TIMEOUT)


def now_utc() -> datetime:
    """Return the time of an attempt, by which a receiver tells a replay."""
    return datetime.now(UTC)


class WebhookDestination:
    """Delivers to one address."""

    def __init__(self, url: URL, key: bytes, guard: Guard, *, now: Callable[[], datetime] = now_utc) -> None:
        """Take the address, judged at each connection, and the key that the receiver has too."""
        self._url = url
        self._key = key
        self._guard = guard
        self._now = now

    async def probe(self) -> None:
        """Send a signed payload of type "test" with an empty body; DestinationError."""
        await self._guard.check(str(self._url))
        about = {"type": "test", "at": _stamp(self._now()), "byte_count": 0, "sha256": hashlib.sha256().hexdigest()}
        async with self._http() as http:
            headers = self._headers(f"test-{secrets.token_hex(16)}", about)
            async with http.ask("POST", self._url, data=b"", headers=headers) as reply:
                refusal = _refusal(http, reply, whole_sent=True)
                if refusal is not None:
                    raise refusal

    async def deliver(self, permit: Permit, parcel: Parcel, commit: Commit) -> Proof:
        """Hash the parcel, POST it up to its last 64 KiB, `await commit()`, send the rest and read the answer."""
        digest = bytes.fromhex(await sha256_of(parcel))
        headers = self._document_headers(parcel, digest)
        whole_sent, identity = False, ""
        refusal: DestinationError | None = None

        async def committed() -> None:
            nonlocal whole_sent
            await commit()
            whole_sent = True

        upload = Upload(parcel, commit=committed)
        try:
            async with self._http() as http, http.send("POST", self._url, upload, headers=headers) as reply:
                if not whole_sent:
                    reply.close()  # the rest is not sent, and the commit not asked for
                refusal = _refusal(http, reply, whole_sent=whole_sent)
                if refusal is None:
                    identity = await _identity(reply)
        except Unavailable as error:
            if whole_sent:
                raise ReplyLost(f"the document was sent, and {error}") from error
            raise
        if refusal is not None:
            raise refusal
        return Proof(str(self._url), identity, parcel.byte_count, upload.sha256)

    async def reconcile(self, permit: Permit, parcel: Parcel) -> Proof | Trace:
        """Say that nobody can tell: a webhook has no question, and a second POST may be a second document."""
        return Trace.UNKNOWABLE

    def _document_headers(self, parcel: Parcel, digest: bytes) -> dict[str, str]:
        about = {
            "type": "document",
            "at": _stamp(parcel.created_at),
            "name": plain(parcel.name),
            "media_type": parcel.media_type,
            "byte_count": parcel.byte_count,
            "sha256": digest.hex(),
            "title": parcel.filing.title,
            "correspondent": parcel.filing.correspondent,
            "tags": parcel.filing.tags,
        }
        name = identifier(parcel.key)
        return self._headers(name, about) | {
            "Idempotency-Key": f'"{name}"',  # a string of RFC 8941, 3.3.3
            "Content-Digest": f"sha-256=:{b64encode(digest).decode('ascii')}:",
        }

    def _headers(self, name: str, about: Mapping[str, object]) -> dict[str, str]:
        payload = json.dumps(about, separators=(",", ":"))
        if len(payload) > _PAYLOAD_BYTES:
            raise Rejected("title, correspondent and tags are too long for a webhook together")
        return signed(self._key, name, self._now(), payload.encode("ascii")) | {"Webhook-Payload": payload}

    def _http(self) -> Http:
        return Http(self._guard, self._url, _EVERY_REQUEST, REFUSALS)


def identifier(key: str) -> str:
    """Return the id under which a receiver gets every attempt of one thing; it tells nothing of the key."""
    return hashlib.sha256(key.encode()).hexdigest()


def _refusal(http: Http, reply: aiohttp.ClientResponse, *, whole_sent: bool) -> DestinationError | None:
    """Return what an answer is if it is none that counts: one to the whole document, with 2xx."""
    if whole_sent and reply.status in _UNDECIDED:
        return ReplyLost(f"a proxy answered for the receiver (HTTP {reply.status})")
    if not 200 <= reply.status < 300:
        return http.refusal(reply)
    return None if whole_sent else Unavailable("the receiver answered before it had the document")


async def _identity(reply: aiohttp.ClientResponse) -> str:
    """What the receiver calls the document: its status has said that it took it, a name is welcome, not needed."""
    answer: object = None
    with suppress(DestinationError, aiohttp.ClientError, OSError, ValueError, RecursionError):
        async with asyncio.timeout(_NAME_S):
            answer = json.loads(await body(reply))
    named = answer.get("id") if isinstance(answer, dict) else None
    text = str(named) if isinstance(named, str | int) else reply.headers.get("Location", "")
    return "".join(c for c in text if c.isprintable())[:_ID_CHARACTERS]


def _stamp(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds")


def secret_of(values: Values) -> bytes:
    """Return the signing key in the field `secret`; Rejected."""
    try:
        return key_of(values["secret"])
    except Rejected as error:
        raise naming("secret", error) from None


def address_of(values: Values) -> URL:
    """Return the address in the field `url`; Rejected."""
    try:
        return web_address(values["url"])
    except Rejected as error:
        raise naming("url", error) from None


def _make(values: Values, around: Surroundings) -> WebhookDestination:
    return WebhookDestination(address_of(values), secret_of(values), around.guard)


RECEIVER = (
    Field("url", "Address", False, "https://receiver.example.org/scans"),
    Field(
        "secret",
        "Signing secret",
        True,
        "At least 24 random bytes in base64, the same at the receiver; `openssl rand -base64 32` makes one",
    ),
)

KIND = Kind(
    label="Webhook",
    proves="the receiver answered 2xx after it had been sent every byte of the document with this signed SHA-256",
    shown="url",
    fields=RECEIVER,
    make=_make,
    check=check_url,
)
