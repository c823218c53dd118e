"""One destination of every kind, each at a server that shows what arrived in it whole; and how each can fail."""

from collections.abc import AsyncIterator, Callable, Collection
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, nullcontext
from dataclasses import dataclass, field
from email.parser import BytesParser
from email.policy import default
from pathlib import Path
from typing import Any, TypeVar

import asyncssh

from simulator.sinks import (
    Answer,
    DavSink,
    Fault,
    PaperlessSink,
    S3Sink,
    Trouble,
    WebhookSink,
    paperless_sink,
    s3_sink,
    webdav_sink,
    webhook_sink,
)
from simulator.sinks import Sink as HttpSink
from tests.destinations import mailbox, rclone_peers, sftp_peers

T = TypeVar("T")
LIGHT = ("folder", "webdav", "paperless-ngx", "s3", "sftp", "mail", "webhook")
RCLONE = "rclone"  # starts half a dozen processes for each document
KINDS = (*LIGHT, RCLONE)
REFUSES, LOSES_REPLIES = "refuses", "loses its replies"
_ALWAYS = 10**9


def _nothing() -> None:
    """Do nothing."""


@dataclass(slots=True)
class Sink:
    """One row.

    `names`: what arrived whole, each under a name that never comes twice, `read` gives its bytes; `filed`: the names of
    what people find there, if that is less. `looks_first`: how often a document is read before the reading that is
    sent; `again`: whether a document that is sent once more is there twice then. `ails` by what goes wrong, `heal` ends
    it all; `empty` throws away what is there.
    """

    kind: str
    config: dict[str, str]
    secrets: dict[str, str]
    names: Callable[[], set[str]]
    read: Callable[[str], bytes]
    empty: Callable[[], Any]
    filed: Callable[[], set[str]] | None = None
    looks_first: int = 0
    again: bool = False
    ails: dict[str, Callable[[], Any]] = field(default_factory=dict)
    heal: Callable[[], Any] = _nothing


@dataclass(frozen=True, slots=True)
class Place:
    """All sinks, and what the administrator's settings say of them."""

    sinks: dict[str, Sink]
    archive: Path
    rclone: rclone_peers.Remotes | None


@asynccontextmanager
async def sinks(folder: Path, kinds: Collection[str]) -> AsyncIterator[Place]:
    """Run those of these kinds until the block ends, all that they keep below `folder`."""
    for below in ("archive", "cloud", "sftp", "remotes"):
        (folder / below).mkdir()
    remotes = rclone_peers.disk(folder / "remotes") if RCLONE in kinds else None
    servers: dict[str, Callable[[], AbstractAsyncContextManager[Sink]]] = {
        "folder": lambda: nullcontext(_folder(folder / "archive")),
        "webdav": lambda: _row(webdav_sink(folder / "cloud"), _webdav),
        "paperless-ngx": lambda: _row(paperless_sink(), _paperless),
        "s3": lambda: _row(s3_sink(), _s3),
        "sftp": lambda: _row(sftp_peers.in_process(folder / "sftp"), lambda both: _sftp(*both)),
        "mail": lambda: _row(mailbox.mailbox(), _mail),
        "webhook": lambda: _row(webhook_sink(), _webhook),
        RCLONE: lambda: nullcontext(_rclone(remotes)),
    }
    async with AsyncExitStack() as stack:
        rows = {kind: await stack.enter_async_context(servers[kind]()) for kind in kinds}
        yield Place(rows, folder / "archive", remotes)


@asynccontextmanager
async def _row(server: AbstractAsyncContextManager[T], row: Callable[[T], Sink]) -> AsyncIterator[Sink]:
    async with server as running:
        yield row(running)


def _files(folder: Path) -> dict[str, Any]:
    def names() -> set[str]:
        return {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file() and not p.name.startswith(".")}

    def empty() -> None:
        for name in names():
            (folder / name).unlink()

    return {"names": names, "read": lambda name: (folder / name).read_bytes(), "empty": empty}


def _folder(folder: Path) -> Sink:
    return Sink("folder", {"path": str(folder)}, {}, **_files(folder))


def _rclone(remotes: rclone_peers.Remotes | None) -> Sink:
    assert remotes is not None
    return Sink(RCLONE, {"path": remotes.allowed[0]}, {}, **_files(remotes.folder))


def _http(server: HttpSink, refused: Fault, lost: Fault) -> dict[str, Any]:
    def heal() -> None:
        with server._lock:  # a request that takes a fault puts back what is left of it
            server.faults.clear()

    ails = {REFUSES: lambda: server.misbehave(refused), LOSES_REPLIES: lambda: server.misbehave(lost)}
    return {"ails": ails, "heal": heal}


def _webdav(server: DavSink) -> Sink:
    config = {"url": server.url, "username": server.username}
    faults = _http(
        server,
        Fault("PUT", Trouble.STATUS, 503, times=_ALWAYS),
        Fault("MOVE", Trouble.DROP_REPLY, times=_ALWAYS),
    )
    return Sink("webdav", config, {"password": server.password}, **_files(server.folder), **faults)


def _paperless(server: PaperlessSink) -> Sink:
    archive, post = server.archive, "post_document"
    faults = _http(
        server,
        Fault("POST", Trouble.STATUS, 503, path=post, times=_ALWAYS),
        Fault("POST", Trouble.DROP_REPLY, path=post, times=_ALWAYS),
    )

    def empty() -> None:
        archive.tasks.clear()
        archive.documents.clear()

    def read(name: str) -> bytes:
        return next(task.upload.data for task in archive.tasks if task.task_id == name)

    return Sink(
        "paperless-ngx",
        {"url": server.url},
        {"token": server.token},
        names=lambda: {task.task_id for task in archive.tasks},
        read=read,
        empty=empty,
        filed=lambda: {task.task_id for task in archive.tasks if "document_id" in task.result},
        looks_first=1,
        **faults,
    )


def _s3(server: S3Sink) -> Sink:
    config = {"endpoint": server.url, "bucket": server.bucket, "access_key": server.access_key, "prefix": "scans"}
    refused = Answer("UploadPart", 503, "SlowDown", times=_ALWAYS)
    lost = Answer("CompleteMultipartUpload", 504, does=True, times=_ALWAYS)
    return Sink(
        "s3",
        config,
        {"secret_key": server.secret_key},
        names=lambda: set(server.backend.buckets[server.bucket].keys),
        read=lambda name: server.objects()[name],
        empty=server.backend.buckets[server.bucket].keys.clear,
        ails={REFUSES: lambda: server.answers.append(refused), LOSES_REPLIES: lambda: server.answers.append(lost)},
        heal=server.answers.clear,
    )


def _sftp(server: sftp_peers.Server, story: sftp_peers.Story) -> Sink:
    login = server.login
    config = {"host": login.host, "port": str(login.port), "username": login.username, "path": server.path}
    refused = sftp_peers.Fault("write", asyncssh.SFTPFailure("Failure"))
    lost = sftp_peers.Fault("rename", drop=True, after=True)
    return Sink(
        "sftp",
        config | {"host_key": login.host_key},
        {"password": login.password},
        **_files(server.folder),
        ails={REFUSES: lambda: story.faults.append(refused), LOSES_REPLIES: lambda: story.faults.append(lost)},
        heal=story.faults.clear,
    )


def _mail(box: mailbox.Mailbox) -> Sink:
    config = {"host": "127.0.0.1", "port": str(box.port), "security": "none"}
    config |= {"sender": "gateway@example.org", "recipient": "archive@example.org"}
    return Sink(
        "mail",
        config,
        {},
        names=lambda: {str(number) for number in range(len(box.messages))},
        read=lambda name: _attached(box.messages[int(name)]),
        empty=box.messages.clear,
        again=True,
        ails={
            REFUSES: lambda: box.refuse.update({"RCPT": "450 later"}),
            LOSES_REPLIES: lambda: box.refuse.update({".": ""}),
        },
        heal=box.refuse.clear,
    )


def _attached(message: bytes) -> bytes:
    [attachment] = BytesParser(policy=default).parsebytes(message).iter_attachments()
    data = attachment.get_payload(decode=True)
    assert isinstance(data, bytes)
    return data


def _webhook(server: WebhookSink) -> Sink:
    faults = _http(
        server,
        Fault("POST", Trouble.STATUS, 503, times=_ALWAYS),
        Fault("POST", Trouble.DROP_REPLY, times=_ALWAYS),
    )
    return Sink(
        "webhook",
        {"url": server.url},
        {"secret": server.secret},
        names=lambda: set(server.taken),
        read=lambda name: server.taken[name].body,
        empty=server.taken.clear,
        looks_first=1,
        again=True,
        **faults,
    )
