"""Serves any WSGI application on a free port of 127.0.0.1, in a thread of its own, and plays a sink's faults on it."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any, TypeAlias

from cheroot import errors, wsgi
from cheroot.ssl.builtin import BuiltinSSLAdapter

from simulator.sinks.faults import Fault, Request, Sink, Trouble

Environ: TypeAlias = dict[str, Any]
StartResponse: TypeAlias = Callable[..., Any]
Application: TypeAlias = Callable[[Environ, StartResponse], Iterable[bytes]]

_THREADS = 4
_PIECE_BYTES = 64 * 1024
_PLAYED_BY_THE_BODY = frozenset({Trouble.SLOW_BODY, Trouble.RESET, Trouble.SHORT})


@asynccontextmanager
async def serving(sink: Sink, app: Application, *, tls: tuple[Path, Path] | None = None) -> AsyncIterator[None]:
    """Serve until the block ends; sets `sink.url` to the origin. `tls`: certificate and key, PEM files."""
    server = _QuietServer(("127.0.0.1", 0), _recording(sink, app), numthreads=_THREADS, shutdown_timeout=1)
    if tls is not None:
        server.ssl_adapter = BuiltinSSLAdapter(*map(str, tls))
    server.prepare()
    sink.url = f"http{'s' if tls else ''}://127.0.0.1:{server.bind_addr[1]}"
    thread = threading.Thread(target=server.serve, name="sink", daemon=True)
    thread.start()
    try:
        yield
    finally:
        sink.over.set()
        await asyncio.to_thread(server.stop)
        await asyncio.to_thread(thread.join, 5.0)


def _recording(sink: Sink, app: Application) -> Application:
    def application(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        headers = {k.removeprefix("HTTP_").replace("_", "-").lower(): v for k, v in environ.items() if k[:5] == "HTTP_"}
        seen = Request(method, path, headers)
        sink.requests.append(seen)
        fault = sink.take_fault(method, path)
        environ["wsgi.input"] = _Body(environ["wsgi.input"], seen, sink.over, fault)
        if fault is not None and fault.trouble is Trouble.SHORT:
            environ["CONTENT_LENGTH"] = str(min(fault.at_byte, int(environ.get("CONTENT_LENGTH") or 0)))

        def answer(status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
            seen.status = int(status.split()[0])
            return start_response(status, headers, *rest)

        if fault is None or fault.trouble in _PLAYED_BY_THE_BODY:
            return app(environ, answer)
        if fault.trouble is Trouble.DRIP:
            return _dripping(sink, fault, app(environ, lambda *_: None), start_response)
        return _troubled(fault, app, environ, answer)

    return application


def _troubled(fault: Fault, app: Application, environ: Environ, answer: StartResponse) -> Iterator[bytes]:
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


def _dripping(sink: Sink, fault: Fault, done: Iterable[bytes], start_response: Any) -> Iterator[bytes]:
    for _ in done:
        pass
    connection = start_response.__self__.req.conn.socket  # no application can be slow with a head
    try:
        connection.sendall(b"HTTP/1.1 201 Created\r\nX-Drip: ")
        while not sink.over.wait(fault.pause_s):
            connection.sendall(b"x")
    except OSError:  # the client has gone
        pass
    raise errors.FatalSSLAlert


def _drain(environ: Environ) -> None:
    """Take the body and forget it: closing with unread bytes resets the connection, and the reply is lost."""
    left = int(environ.get("CONTENT_LENGTH") or 0)
    while left > 0 and (piece := environ["wsgi.input"].read(min(left, _PIECE_BYTES))):
        left -= len(piece)


class _QuietServer(wsgi.Server):
    expiration_interval = 0.02  # how long a stop may take to be noticed

    def error_log(self, msg: str = "", level: int = 20, traceback: bool = False) -> None:
        """Say nothing: connections that a client drops are what this server is for."""


class _Body:
    """The request body of cheroot: counted and, as its fault says, slow, cut short or broken off."""

    def __init__(self, body: Any, seen: Request, over: threading.Event, fault: Fault | None) -> None:
        self._body = body
        self._seen = seen
        self._over = over
        trouble = fault.trouble if fault is not None else None
        self._pause_s = fault.pause_s if fault is not None and trouble is Trouble.SLOW_BODY else 0.0
        self._left = fault.at_byte if fault is not None and trouble in (Trouble.SHORT, Trouble.RESET) else None
        self._resets = trouble is Trouble.RESET

    def read(self, size: int | None = None) -> bytes:
        """Read as the body itself does."""
        self._over.wait(self._pause_s)
        try:
            return self._counted(self._body.read(self._allowed(size)))
        except ConnectionError:  # the application is told of the end: wsgidav leaves its file open at anything else
            return b""

    def readline(self, size: int | None = None) -> bytes:
        """Read a line."""
        return self._counted(self._body.readline(self._allowed(size)))

    def _allowed(self, size: int | None) -> int | None:
        if self._left is None:
            return size
        if self._left == 0 and self._resets:
            raise errors.FatalSSLAlert
        return self._left if size is None or size < 0 else min(size, self._left)

    def _counted(self, data: bytes) -> bytes:
        self._seen.bytes_received += len(data)
        if self._left is not None:
            self._left -= len(data)
        return data

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.readline, b"")
