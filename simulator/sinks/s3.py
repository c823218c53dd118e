"""An S3 store (moto's) with one bucket, which checks signatures and hashes and answers with errors on request."""

import io
import secrets
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from enum import StrEnum
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs

from simulator.sinks.faults import Sink
from simulator.sinks.s3_signature import fault_of
from simulator.sinks.serving import Application, Environ, StartResponse, serving

_STATUSES = {"AuthorizationHeaderMalformed": 400, "BadDigest": 400, "XAmzContentSHA256Mismatch": 400}  # others: 403
_OPERATIONS = {
    ("GET", "uploads"): "ListMultipartUploads",
    ("POST", "uploads"): "CreateMultipartUpload",
    ("PUT", "uploadId"): "UploadPart",
    ("POST", "uploadId"): "CompleteMultipartUpload",
    ("DELETE", "uploadId"): "AbortMultipartUpload",
}


class Condition(StrEnum):
    """What the store makes of "only if nothing has the key" when an upload is completed."""

    HONOURED = "honoured"
    IGNORED = "ignored"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Answer:
    """One row: what the next `times` requests for an operation get; `does`: and it takes effect all the same.

    `body` replaces the error document.
    """

    operation: str
    status: int
    code: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes | None = None
    does: bool = False
    times: int = 1


@dataclass(slots=True)
class S3Sink(Sink):
    """A running store, who may in, what it was asked for, and which answers still wait."""

    bucket: str = ""
    access_key: str = ""
    secret_key: str = field(default="", repr=False)
    region: str = "us-east-1"
    condition: Condition = Condition.HONOURED
    operations: list[str] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    backend: Any = field(default=None, repr=False)

    def objects(self) -> dict[str, bytes]:
        """Return what the bucket shows: key -> content."""
        return {key: found.value for key, found in self.backend.buckets[self.bucket].keys.items()}

    def uploads(self) -> list[str]:
        """Return the keys of the uploads that were neither completed nor aborted."""
        return [upload.key_name for upload in self.backend.buckets[self.bucket].multiparts.values()]

    def put(self, key: str, data: bytes) -> None:
        """Put an object there as another program would."""
        self.backend.put_object(self.bucket, key, data)

    def take_answer(self, operation: str) -> Answer | None:
        """Take the first answer that waits for an operation."""
        for index, row in enumerate(self.answers):
            if row.operation == operation:
                self.answers[index : index + 1] = [replace(row, times=row.times - 1)] if row.times > 1 else []
                return row
        return None


@asynccontextmanager
async def s3_sink() -> AsyncIterator[S3Sink]:
    """Serve an empty bucket until the block ends; the endpoint is `sink.url`."""
    # Imported here: moto is no dependency of the simulator, only tests have it.
    from moto.core.models import DEFAULT_ACCOUNT_ID
    from moto.moto_server.werkzeug_app import create_backend_app
    from moto.s3.models import s3_backends

    backend = s3_backends[DEFAULT_ACCOUNT_ID]["aws"]
    sink = S3Sink(
        bucket=f"scans-{secrets.token_hex(4)}",
        access_key=f"AKIA{secrets.token_hex(8).upper()}",
        secret_key=secrets.token_urlsafe(30),
        backend=backend,
    )
    backend.create_bucket(sink.bucket, sink.region)
    try:
        async with serving(sink, _store(sink, create_backend_app("s3"))):
            yield sink
    finally:
        backend.reset()


def _store(sink: S3Sink, moto: Application) -> Application:
    def application(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        query = parse_qs(environ["QUERY_STRING"], keep_blank_values=True)
        kind = next((name for name in ("uploadId", "uploads") if name in query), "")
        method: str = environ["REQUEST_METHOD"]
        operation = _OPERATIONS.get((method, kind), method)
        sink.operations.append(operation)
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        environ["wsgi.input"] = io.BytesIO(body)
        answer = _refusal(sink, environ, body) or sink.take_answer(operation)
        if answer is None:
            return _moto(sink, moto, environ, start_response)
        if answer.does:
            for _ in _moto(sink, moto, environ, lambda *_: None):
                pass
        return _told(answer, environ, start_response)

    return application


def _moto(sink: S3Sink, moto: Application, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    if environ.get("HTTP_IF_NONE_MATCH") and sink.condition is Condition.REFUSED:
        return _told(Answer("", 501, "NotImplemented"), environ, start_response)
    if sink.condition is Condition.IGNORED:
        environ.pop("HTTP_IF_NONE_MATCH", None)
    return moto(environ, start_response)


def _refusal(sink: S3Sink, environ: Environ, body: bytes) -> Answer | None:
    code = fault_of(environ, body, access_key=sink.access_key, secret_key=sink.secret_key, region=sink.region)
    if not code:
        return None
    region = (("x-amz-bucket-region", sink.region),)
    return Answer("", _STATUSES.get(code, 403), code, region)


def _told(answer: Answer, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    error = f"<?xml version='1.0'?><Error><Code>{answer.code}</Code><Message>no</Message></Error>".encode()
    body = error if answer.body is None else answer.body
    if environ["REQUEST_METHOD"] == "HEAD":
        body = b""
    headers = [("Content-Length", str(len(body))), ("Content-Type", "application/xml"), *answer.headers]
    start_response(f"{answer.status} {HTTPStatus(answer.status).phrase}", headers)
    return iter((body,))
