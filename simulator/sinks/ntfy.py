"""A simulated ntfy server, as far as publishing goes: headers are read as ntfy reads them.

Facts: docs.ntfy.sh/publish; server/util.go of ntfy 2: names and aliases of headers, RFC 2047 words decoded in any of
them, a `Priority` header of RFC 9218 ignored, texts above 4,096 bytes turned into attachments.
"""

import json
import re
import secrets
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email.header import decode_header, make_header
from http import HTTPStatus
from typing import Any

from simulator.sinks.faults import Sink
from simulator.sinks.serving import Application, Environ, StartResponse, serving

_TEXT_BYTES = 4096
_PRIORITIES = {"": 3, "min": 1, "low": 2, "default": 3, "high": 4, "max": 5, "urgent": 5} | {
    str(n): n for n in range(1, 6)
}
_TOPIC = re.compile(r"/[-_A-Za-z0-9]{1,64}")
_HTTP_PRIORITY = re.compile(r"u=\d(, *i)?|i")


@dataclass(frozen=True, slots=True)
class Message:
    """What a phone would show."""

    topic: str
    text: str
    title: str
    priority: int
    tags: tuple[str, ...]
    click: str
    attached: bool


@dataclass(slots=True)
class NtfySink(Sink):
    """A running server; `token`: who may publish, "" for anybody."""

    token: str = ""
    messages: list[Message] = field(default_factory=list)


@asynccontextmanager
async def ntfy_sink(*, token: str = "") -> AsyncIterator[NtfySink]:
    """Serve until the block ends; topics are below `sink.url`, which ends in a slash."""
    sink = NtfySink(token=token)
    async with serving(sink, _app(sink)):
        sink.url += "/"
        yield sink


def _app(sink: NtfySink) -> Application:
    def application(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        status, value = _answer(sink, environ, body)
        answer = json.dumps(value).encode()
        headers = [("Content-Type", "application/json"), ("Content-Length", str(len(answer))), ("Connection", "close")]
        start_response(f"{status} {HTTPStatus(status).phrase}", headers)
        return [answer]

    return application


def _answer(sink: NtfySink, environ: Environ, body: bytes) -> tuple[int, Any]:
    given = environ.get("HTTP_AUTHORIZATION", "")
    if sink.token and not given:
        return 403, {"code": 40301, "http": 403, "error": "forbidden"}
    if given and given != f"Bearer {sink.token}":
        return 401, {"code": 40101, "http": 401, "error": "unauthorized"}
    if environ["REQUEST_METHOD"] not in ("POST", "PUT") or not _TOPIC.fullmatch(environ["PATH_INFO"]):
        return 404, {"code": 40401, "http": 404, "error": "page not found"}
    priority = _PRIORITIES.get(_param(environ, "X_PRIORITY", "PRIORITY", "PRIO", "P"))
    if priority is None:
        return 400, {"code": 40007, "http": 400, "error": "invalid request: priority invalid"}
    attached = len(body) > _TEXT_BYTES
    message = Message(
        topic=environ["PATH_INFO"][1:],
        text="" if attached else body.decode() or "triggered",
        title=_param(environ, "X_TITLE", "TITLE", "TI", "T"),
        priority=priority,
        tags=tuple(t.strip() for t in _param(environ, "X_TAGS", "TAGS", "TAG", "TA").split(",") if t.strip()),
        click=_param(environ, "X_CLICK", "CLICK"),
        attached=attached,
    )
    sink.messages.append(message)
    return 200, {"id": secrets.token_urlsafe(9), "event": "message", "topic": message.topic}


def _param(environ: Environ, *names: str) -> str:
    for name in names:
        raw = environ.get(f"HTTP_{name}", "").encode("latin-1").decode("utf-8", "replace").strip()
        if name == "PRIORITY" and _HTTP_PRIORITY.fullmatch(raw):
            continue
        if raw:
            return str(make_header(decode_header(raw)))
    return ""
