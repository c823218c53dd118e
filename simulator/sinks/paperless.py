"""A simulated paperless-ngx 2.x or 3.x: its REST API as far as an upload needs it, and uploads that come to nothing.

Facts: paperless-ngx docs/api.md and documents/views.py of 2.20 and 3.1. A filter that the server does not know is
dropped, as there.
"""

import html
import json
import re
import secrets
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, TypeAlias
from urllib.parse import parse_qs

from simulator.sinks.faults import Sink
from simulator.sinks.multipart import parts
from simulator.sinks.paperless_archive import Archive, Document, Fate
from simulator.sinks.serving import Application, Environ, StartResponse, serving

_VERSIONS = {2: (range(1, 10), 9, "2.20.15"), 3: (range(9, 11), 10, "3.1.3")}  # accepted, default, release
_PIECE_BYTES = 64 * 1024
ALL_RIGHTS = frozenset(
    f"{verb}_{what}"
    for verb in ("view", "add")
    for what in ("document", "tag", "correspondent", "paperlesstask", "uisettings")
)

Reply: TypeAlias = tuple[int, Any]


@dataclass(frozen=True, slots=True)
class Asked:
    """One request, its body complete."""

    path: str
    query: dict[str, str]
    content_type: str
    body: bytes
    api: int


@dataclass(slots=True)
class PaperlessSink(Sink):
    """A running server. `rights`: what the token's user may do; `magic`: how a document must begin;
    `whole_uploads`: how many arrived complete.
    """

    token: str = ""
    archive: Archive = field(default_factory=Archive)
    rights: frozenset[str] = ALL_RIGHTS
    whole_uploads: int = 0
    tells_version: bool = True
    magic: bytes = b""
    fates: list[tuple[Fate, str]] = field(default_factory=list)
    lies: list[tuple[str, bytes]] = field(default_factory=list)

    def next_upload(self, fate: Fate, text: str = "") -> None:
        """Say what becomes of the next upload that nothing was said of."""
        self.fates.append((fate, text))

    def lie(self, path: str, body: bytes) -> None:
        """Give these bytes, with status 200, to the next request for a path that contains `path`."""
        self.lies.append((path, body))


Handler: TypeAlias = Callable[[PaperlessSink, Asked], Reply]


@asynccontextmanager
async def paperless_sink(
    *, major: int = 2, refuses_duplicates: bool | None = None, token: str | None = None
) -> AsyncIterator[PaperlessSink]:
    """Serve an empty archive until the block ends; 3.x files duplicates unless it is told to refuse them."""
    refuses = major < 3 if refuses_duplicates is None else refuses_duplicates
    sink = PaperlessSink(token=token or secrets.token_hex(20), archive=Archive(major, refuses))
    async with serving(sink, _app(sink)):
        sink.url += "/"
        yield sink


def _app(sink: PaperlessSink) -> Application:
    def application(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        status, value = _judged(sink, environ)
        lie = _lie(sink, environ["PATH_INFO"]) if status < 300 else None
        body = json.dumps(value).encode() if lie is None else lie
        headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body))), ("Connection", "close")]
        if sink.tells_version and status not in (401, 406):
            accepted, _, release = _VERSIONS[sink.archive.major]
            headers += [("X-Api-Version", str(accepted[-1])), ("X-Version", release)]
        start_response(f"{status} {HTTPStatus(status).phrase}", headers)
        return [body]

    return application


def _lie(sink: PaperlessSink, path: str) -> bytes | None:
    for index, (part, body) in enumerate(sink.lies):
        if part in path:
            del sink.lies[index]
            return body
    return None


def _judged(sink: PaperlessSink, environ: Environ) -> Reply:
    body = _body(environ)
    if environ.get("HTTP_AUTHORIZATION") != f"Token {sink.token}":
        return 401, {"detail": "Invalid token."}
    api = _version(sink, environ.get("HTTP_ACCEPT", ""))
    if api is None:
        return 406, {"detail": 'Invalid version in "Accept" header.'}
    query = {name: values[0] for name, values in parse_qs(environ.get("QUERY_STRING", "")).items()}
    asked = Asked(environ["PATH_INFO"], query, environ.get("CONTENT_TYPE", ""), body, api)
    for method, path, right, handler in _ROUTES:
        if method == environ["REQUEST_METHOD"] and re.fullmatch(path, asked.path):
            if right not in sink.rights:
                return 403, {"detail": "You do not have permission to perform this action."}
            return handler(sink, asked)
    return 404, {"detail": "Not found."}


def _body(environ: Environ) -> bytes:
    """Read the body to its stated end; what breaks off before is no request for any server of paperless-ngx."""
    left = int(environ.get("CONTENT_LENGTH") or 0)
    read = bytearray()
    while left > 0:
        piece = environ["wsgi.input"].read(min(left, _PIECE_BYTES))
        if not piece:
            raise ConnectionError("the request broke off")
        read += piece
        left -= len(piece)
    return bytes(read)


def _version(sink: PaperlessSink, accept: str) -> int | None:
    accepted, default, _ = _VERSIONS[sink.archive.major]
    wanted = re.search(r"version=(.*)", accept)
    if wanted is None:
        return default
    return int(wanted[1]) if wanted[1].isdigit() and int(wanted[1]) in accepted else None


def _tasks(sink: PaperlessSink, asked: Asked) -> Reply:
    archive, query = sink.archive, asked.query
    tasks = sorted(archive.tasks, key=lambda t: t.created_at, reverse=True)
    if "task_id" in query:
        tasks = [t for t in tasks if t.task_id == query["task_id"]]
    listed = [archive.task_json(t, asked.api) for t in tasks]
    for task in tasks if "task_id" in query else []:
        archive.step(task)
    if asked.api < 10:
        return 200, listed
    size, page = int(query.get("page_size", 25)), int(query.get("page", 1))
    more = f"?page={page + 1}" if len(listed) > size * page else None
    return 200, {"count": len(listed), "next": more, "results": listed[size * (page - 1) : size * page]}


def _documents(sink: PaperlessSink, asked: Asked) -> Reply:
    wanted = asked.query.get("checksum__iexact")
    found = [d.id for d in sink.archive.documents.values() if not d.in_trash and wanted in (None, d.checksum)]
    return 200, {"count": len(found), "next": None, "results": [{"id": i} for i in found]}


def _metadata(sink: PaperlessSink, asked: Asked) -> Reply:
    document = sink.archive.documents.get(int(asked.path.split("/")[3]))
    if document is None or document.in_trash:
        return 404, {"detail": "Not found."}
    shown = {"original_checksum": document.checksum, "original_size": len(document.data)}
    return 200, shown | {"original_filename": document.file_name, "original_mime_type": "application/pdf"}


def _settings(sink: PaperlessSink, asked: Asked) -> Reply:
    return 200, {"user": {"id": 3, "username": "anna"}, "settings": {}, "permissions": sorted(sink.rights)}


def _listed(sink: PaperlessSink, asked: Asked) -> Reply:
    name = asked.query.get("name__iexact")
    names = _names(sink, asked)
    found = [{"id": i, "name": n} for i, n in names.items() if name is None or n.casefold() == name.casefold()]
    return 200, {"count": len(found), "next": None, "results": found}


def _made(sink: PaperlessSink, asked: Asked) -> Reply:
    name, names = json.loads(asked.body)["name"], _names(sink, asked)
    if name in names.values():
        return 400, {"error": ["Object violates owner / name unique constraint"]}
    names[len(names) + 1] = name
    return 201, {"id": len(names), "name": name}


def _names(sink: PaperlessSink, asked: Asked) -> dict[int, str]:
    return sink.archive.tags if "/tags/" in asked.path else sink.archive.correspondents


def _posted(sink: PaperlessSink, asked: Asked) -> Reply:
    form = list(parts(asked.content_type, asked.body))
    values = {p.name: p.data.decode() for p in form if not p.file_name}
    tags = tuple(int(p.data) for p in form if p.name == "tags")
    upload = next((p for p in form if p.name == "document"), None)
    if upload is None:
        return 400, {"document": ["No file was submitted."]}
    sink.whole_uploads += 1
    if not upload.data.startswith(sink.magic):
        return 400, {"document": ["File type application/octet-stream not supported"]}
    name = html.unescape(upload.file_name)  # as the framework beneath does
    correspondent = int(values["correspondent"]) if "correspondent" in values else None
    document = Document(0, values["title"], name, upload.data, "", values["created"], correspondent, tags)
    fate, text = sink.fates.pop(0) if sink.fates else (Fate.FILED, "")
    return 200, sink.archive.accept(document, fate, text)


_ROUTES: tuple[tuple[str, str, str, Handler], ...] = (
    ("GET", r"/api/tasks/", "view_paperlesstask", _tasks),
    ("GET", r"/api/documents/", "view_document", _documents),
    ("GET", r"/api/documents/\d+/metadata/", "view_document", _metadata),
    ("POST", r"/api/documents/post_document/", "add_document", _posted),
    ("GET", r"/api/ui_settings/", "view_uisettings", _settings),
    ("GET", r"/api/tags/", "view_tag", _listed),
    ("POST", r"/api/tags/", "add_tag", _made),
    ("GET", r"/api/correspondents/", "view_correspondent", _listed),
    ("POST", r"/api/correspondents/", "add_correspondent", _made),
)
