"""Remotes for the rclone destination: a disk, and rclone's own WebDAV server; and a gateway that dies in the middle.

Run as a program, `python -m tests.destinations.rclone_peers CONFIG PATH`, it delivers without end until it is killed.
"""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from gateway.core.gate import Permit
from gateway.destinations.port import Parcel
from gateway.destinations.rclone import RcloneDestination
from tests.conformance.conftest import need
from tests.conformance.peers import kept, there
from tests.destinations.conftest import NAME, NOW
from tests.destinations.sftp_peers import free_port

CHUNK = bytes(64 * 1024)


@dataclass(frozen=True)
class Remotes:
    """The administrator's file, the remotes that it allows, and where their files come to lie."""

    config: Path
    allowed: tuple[str, ...]
    folder: Path

    def files(self) -> list[str]:
        return sorted(str(p.relative_to(self.folder)) for p in self.folder.rglob("*") if p.is_file())


@dataclass(frozen=True)
class Served:
    """A running server: the address of its root, and its folder as we see it."""

    url: str
    folder: Path


def disk(folder: Path) -> Remotes:
    """Make a remote "disk" that is a folder."""
    need(there("rclone"), "rclone")
    stored = folder / "stored"
    stored.mkdir()
    config = folder / "rclone.conf"
    config.write_text(f"[disk]\ntype = alias\nremote = {stored}\n", "utf-8")
    return Remotes(config, ("disk:Scans",), stored)


@asynccontextmanager
async def webdav(folder: Path) -> AsyncIterator[Remotes]:
    """Make a remote "dav" at a server that rclone itself is; it writes what it got to its disk when it likes to."""
    need(there("rclone"), "rclone")
    async with webdav_server(folder, "--vfs-cache-mode", "writes") as server:
        config = folder / "rclone.conf"
        config.write_text(f"[dav]\ntype = webdav\nurl = {server.url}\nvendor = other\n", "ascii")
        yield Remotes(config, ("dav:Scans",), server.folder)


@asynccontextmanager
async def webdav_server(folder: Path, *options: str) -> AsyncIterator[Served]:
    """Serve a new folder below `folder`, empty, without authentication, over WebDAV."""
    stored, port = folder / "stored", free_port()
    stored.mkdir()
    (folder / "server.conf").touch()
    words = ["--config", str(folder / "server.conf"), "--addr", f"127.0.0.1:{port}", "--cache-dir", str(folder / "c")]
    words += [*options, str(stored)]
    async with kept(str(there("rclone")), "serve", "webdav", *words, until=b"started on", HOME=str(folder)):
        yield Served(f"http://127.0.0.1:{port}/", stored)


async def _deliver_without_end(config: str, path: str) -> None:
    async def stream() -> AsyncIterator[bytes]:
        while True:
            yield CHUNK
            await asyncio.sleep(0.01)

    async def never() -> None:
        raise AssertionError("a stream without end was committed")

    parcel = Parcel(NAME, "s/d/1", "application/pdf", 10**9, stream, NOW.utc)
    await RcloneDestination.below((path,), path, Path(config)).deliver(cast(Permit, None), parcel, never)


if __name__ == "__main__":
    asyncio.run(_deliver_without_end(*sys.argv[1:]))
