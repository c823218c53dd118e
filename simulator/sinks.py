"""Destinations that record and misbehave: a real WebDAV server (wsgidav on cheroot) in front of a folder.

`async with webdav_sink(folder) as sink` serves on a free port of 127.0.0.1 in a thread of its own. Faults are rows.
"""

import asyncio
import logging
import secrets
import threading
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from http import HTTPStatus
from pathlib import Path
from typing import Any, TypeAlias

from cheroot import errors, wsgi
from wsgidav.wsgidav_app import WsgiDAVApp

Environ: TypeAlias = dict[str, Any]
StartResponse: TypeAlias = Callable[..., Any]

_MOUNT = "/dav"
_THREADS = 4
_POLL_S = 0.005
_PIECE_BYTES = 64 * 1024


class Trouble(StrEnum):
    """What a fault does to a request."""

    STATUS = "status"  # answer with a status instead of doing it
    STATUS_AFTER = "status_after"  # do it, then answer with a status all the same
    DROP = "drop"  # close the connection instead of doing it
    DROP_REPLY = "drop_reply"  # do it, then close the connection without a word
    SLOW_BODY = "slow_body"  # read the body with a pause before every piece


@dataclass(frozen=True, slots=True)
class Fault:
    """One row: what happens to the next `times` requests with this method."""

    method: str
    trouble: Trouble
    status: int = 0
    headers: tuple[tuple[str, str], ...] = ()
    pause_s: float = 0.0
    times: int = 1


@dataclass(slots=True)
class DavRequest:
    """One request as it was seen; `status` is 0 until it is answered, and stays 0 if the connection was dropped."""

    method: str
    path: str
    headers: dict[str, str]
    status: int = 0
    bytes_received: int = 0


@dataclass(slots=True)
class DavSink:
    """A running server: where it is, who may in, what it saw, which faults still wait; `over` is set at its end."""

    folder: Path
    username: str
    password: str
    url: str = ""
    requests: list[DavRequest] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @property
    def bytes_received(self) -> int:
        """Return how many body bytes arrived over all requests."""
        return sum(r.bytes_received for r in self.requests)

    def misbehave(self, fault: Fault) -> None:
        """Add a fault behind those that wait."""
        with self._lock:
            self.faults.append(fault)

    def files(self) -> list[str]:
        """Return the names in the folder, hidden ones included, sorted."""
        return sorted(p.name for p in self.folder.iterdir())

    async def until(self, condition: Callable[["DavSink"], bool], timeout_s: float = 10.0) -> None:
        """Wait until a condition on what was seen holds; TimeoutError."""
        async with asyncio.timeout(timeout_s):
            while not condition(self):
                await asyncio.sleep(_POLL_S)

    def take_fault(self, method: str) -> Fault | None:
        """Take the first fault that waits for this method."""
        with self._lock:
            for index, fault in enumerate(self.faults):
                if fault.method == method:
                    left = fault.times - 1
                    self.faults[index : index + 1] = [_again(fault, left)] if left else []
                    return fault
        return None


@asynccontextmanager
async def webdav_sink(folder: Path, *, username: str = "anna", password: str | None = None) -> AsyncIterator[DavSink]:
    """Serve `folder` (which exists) over WebDAV with Basic authentication until the block ends."""
    sink = DavSink(folder, username, password or secrets.token_urlsafe(12))
    server = _QuietServer(("127.0.0.1", 0), _recording(sink, _dav_app(sink)), numthreads=_THREADS, shutdown_timeout=1)
    server.prepare()
    sink.url = f"http://127.0.0.1:{server.bind_addr[1]}{_MOUNT}/"
    thread = threading.Thread(target=server.serve, name="webdav sink", daemon=True)
    thread.start()
    try:
        yield sink
    finally:
        sink.over.set()
        await asyncio.to_thread(server.stop)
        await asyncio.to_thread(thread.join, 5.0)


def _dav_app(sink: DavSink) -> WsgiDAVApp:
    users = {"*": {sink.username: {"password": sink.password}}}
    app = WsgiDAVApp(
        {
            "provider_mapping": {_MOUNT: str(sink.folder)},
            "simple_dc": {"user_mapping": users},
            "http_authenticator": {"accept_basic": True, "accept_digest": False, "default_to_digest": False},
            "dir_browser": {"enable": False},
            "verbose": 0,
            "logging": {"enable": False},
        }
    )
    logging.getLogger("wsgidav").setLevel(logging.CRITICAL)
    return app


def _recording(sink: DavSink, app: WsgiDAVApp) -> Callable[[Environ, StartResponse], Iterable[bytes]]:
    def application(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        method = environ["REQUEST_METHOD"]
        headers = {k.removeprefix("HTTP_").replace("_", "-").lower(): v for k, v in environ.items() if k[:5] == "HTTP_"}
        seen = DavRequest(method, environ["PATH_INFO"], headers)
        sink.requests.append(seen)
        fault = sink.take_fault(method)
        environ["wsgi.input"] = _CountedBody(environ["wsgi.input"], seen, sink.over, _pause_s(fault))

        def answer(status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
            seen.status = int(status.split()[0])
            return start_response(status, headers, *rest)

        if fault is None or fault.trouble is Trouble.SLOW_BODY:
            body: Iterable[bytes] = app(environ, answer)
            return body
        return _troubled(fault, seen, app, environ, answer)

    return application


def _troubled(
    fault: Fault, seen: DavRequest, app: WsgiDAVApp, environ: Environ, answer: StartResponse
) -> Iterator[bytes]:
    if fault.trouble in (Trouble.DROP_REPLY, Trouble.STATUS_AFTER):
        for _ in app(environ, lambda *_: None):
            pass
    if fault.trouble is Trouble.STATUS:
        _drain(environ)
    if fault.trouble in (Trouble.DROP, Trouble.DROP_REPLY):
        raise errors.FatalSSLAlert  # the one exception after which cheroot closes without writing anything
    text = f"{fault.status} {HTTPStatus(fault.status).phrase}"
    answer(text, [("Content-Length", "0"), ("Connection", "close"), *fault.headers])
    return iter((b"",))


def _drain(environ: Environ) -> None:
    """Take the body and forget it: closing with unread bytes resets the connection, and the reply is lost."""
    left = int(environ.get("CONTENT_LENGTH") or 0)
    while left > 0 and (piece := environ["wsgi.input"].read(min(left, _PIECE_BYTES))):
        left -= len(piece)


def _pause_s(fault: Fault | None) -> float:
    return fault.pause_s if fault is not None and fault.trouble is Trouble.SLOW_BODY else 0.0


def _again(fault: Fault, times: int) -> Fault:
    return Fault(fault.method, fault.trouble, fault.status, fault.headers, fault.pause_s, times)


class _QuietServer(wsgi.Server):
    expiration_interval = 0.02  # how long a stop may take to be noticed

    def error_log(self, msg: str = "", level: int = 20, traceback: bool = False) -> None:
        """Say nothing: connections that a client drops are what this server is for."""


class _CountedBody:
    """The request body of cheroot, counted and, if asked, slow."""

    def __init__(self, body: Any, seen: DavRequest, over: threading.Event, pause_s: float) -> None:
        self._body = body
        self._seen = seen
        self._over = over
        self._pause_s = pause_s

    def read(self, size: int | None = None) -> bytes:
        """Read as the body itself does."""
        self._over.wait(self._pause_s)
        data: bytes = self._body.read(size)
        self._seen.bytes_received += len(data)
        return data

    def readline(self, size: int | None = None) -> bytes:
        """Read a line."""
        data: bytes = self._body.readline(size)
        self._seen.bytes_received += len(data)
        return data

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.readline, b"")
