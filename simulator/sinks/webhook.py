"""A receiver of signed documents and notices, with its own reading of Standard Webhooks 1.0.0.

A document's signed payload is the JSON in the header `Webhook-Payload`, and names the SHA-256 of the body; a notice's
is its body. What was taken once under an id is answered the same way again, and not kept twice.
"""

import base64
import hashlib
import hmac
import json
import secrets
import time
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any

from simulator.sinks.faults import Sink
from simulator.sinks.serving import Application, Environ, StartResponse, serving

_PIECE_BYTES = 64 * 1024
_TOLERANCE_S = 300  # what the libraries of Standard Webhooks allow a clock to differ


@dataclass(frozen=True, slots=True)
class Taken:
    """One thing that was signed and whole; `body` stays empty where the sink keeps none."""

    id: str
    about: dict[str, Any]
    body: bytes
    sha256: str
    media_type: str
    headers: dict[str, str]


@dataclass(slots=True)
class WebhookSink(Sink):
    """A running receiver; `secret` as its owner gives it away, `refused` why what came was not taken."""

    secret: str = ""
    keeps_bodies: bool = True
    names_what_it_took: bool = True
    taken: dict[str, Taken] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)


@asynccontextmanager
async def webhook_sink(
    *, secret: str | None = None, tls: tuple[Path, Path] | None = None
) -> AsyncIterator[WebhookSink]:
    """Receive until the block ends; `tls`: certificate and key, PEM files."""
    made = "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode("ascii")
    sink = WebhookSink(secret=secret or made)
    async with serving(sink, _app(sink), tls=tls):
        sink.url += "/hook"
        yield sink


def _app(sink: WebhookSink) -> Application:
    def application(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        status, value = _answer(sink, environ)
        body = json.dumps(value).encode()
        headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body))), ("Connection", "close")]
        start_response(f"{status} {HTTPStatus(status).phrase}", headers)
        return [body]

    return application


def _answer(sink: WebhookSink, environ: Environ) -> tuple[int, Any]:
    kept, digest = bytearray(), hashlib.sha256()
    for piece in _pieces(environ):
        digest.update(piece)
        if sink.keeps_bodies or not environ.get("HTTP_WEBHOOK_PAYLOAD"):
            kept += piece
    if environ["REQUEST_METHOD"] != "POST":
        return 405, {"error": "POST only"}
    status, why = _judged(sink, environ, bytes(kept), digest.hexdigest())
    if status >= 400:
        sink.refused.append(why)
        return status, {"error": why}
    name = environ["HTTP_WEBHOOK_ID"]
    return status, {"id": f"doc-{name[:8]}"} if sink.names_what_it_took else None


def _judged(sink: WebhookSink, environ: Environ, body: bytes, sha256: str) -> tuple[int, str]:
    payload = environ.get("HTTP_WEBHOOK_PAYLOAD", "").encode("ascii") or body
    if not _authentic(sink.secret, environ, payload):
        return 401, "signature"
    about = json.loads(payload)
    if "sha256" in about and about["sha256"] != sha256:
        return 422, "digest"
    stated = environ.get("HTTP_CONTENT_DIGEST")  # RFC 9530, section 2
    if stated and stated != f"sha-256=:{base64.b64encode(bytes.fromhex(sha256)).decode('ascii')}:":
        return 422, "content-digest"
    name, key = environ["HTTP_WEBHOOK_ID"], environ.get("HTTP_IDEMPOTENCY_KEY", "")
    if key and key != f'"{name}"':
        return 400, "idempotency-key"
    if about.get("type") != "test":
        headers = {k[5:].replace("_", "-").lower(): v for k, v in environ.items() if k.startswith("HTTP_")}
        media_type = environ.get("CONTENT_TYPE", "")
        sink.taken.setdefault(name, Taken(name, about, body, sha256, media_type, headers))
    return 200, ""


def _authentic(secret: str, environ: Environ, payload: bytes) -> bool:
    name, sent = environ.get("HTTP_WEBHOOK_ID", ""), environ.get("HTTP_WEBHOOK_TIMESTAMP", "")
    if not name or "." in name or not sent.isdigit() or abs(time.time() - int(sent)) > _TOLERANCE_S:
        return False
    key = base64.b64decode(secret.removeprefix("whsec_"))
    mac = hmac.new(key, f"{name}.{sent}.".encode() + payload, hashlib.sha256).digest()
    for one in environ.get("HTTP_WEBHOOK_SIGNATURE", "").split(" "):
        version, _, value = one.partition(",")
        if version == "v1" and hmac.compare_digest(base64.b64encode(mac).decode("ascii"), value):
            return True
    return False


def _pieces(environ: Environ) -> Iterator[bytes]:
    """Read the body to its stated end; what breaks off before was never received."""
    left = int(environ.get("CONTENT_LENGTH") or 0)
    while left > 0:
        piece = environ["wsgi.input"].read(min(left, _PIECE_BYTES))
        if not piece:
            raise ConnectionError("the request broke off")
        left -= len(piece)
        yield piece
