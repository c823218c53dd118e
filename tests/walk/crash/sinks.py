"""The destinations of a chain as tables: how each is set up, where in the chain's folder it is, what is seen there."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from yarl import URL

from simulator.sinks import S3Sink, s3_sink, webdav_sink
from tests.destinations import sftp_peers

TAKEN = "taken"


def _lies_there(folder: Path) -> None:
    """Fetch nothing."""


@dataclass(frozen=True, slots=True)
class SinkKind:
    """One row. `below`: its folder in that of the chain; `config`: what its owner enters, of the chain's folder.

    `fetch` brings what the sink has into its folder, what nobody would see there under names that begin with a dot;
    `taken` is where somebody takes what arrives, "" if nobody does.
    """

    label: str
    below: str
    config: Callable[[Path], dict[str, str]]
    secrets: Mapping[str, str]
    fetch: Callable[[Path], None] = _lies_there
    taken: str = ""

    def visible(self, folder: Path) -> list[Path]:
        """Return the documents that anybody would see there, or took away from there."""
        self.fetch(folder)
        places = [folder / below for below in (self.below, self.taken) if below]
        return sorted(p for place in places for p in place.iterdir() if not p.name.startswith("."))

    def consume(self, folder: Path) -> None:
        """Take away what is there, if there is somebody who does."""
        if self.taken:
            for document in (folder / self.below).glob("[!.]*"):
                document.rename(folder / self.taken / document.name)

    def hidden(self, folder: Path) -> list[str]:
        """Return what is there beside them."""
        self.fetch(folder)
        return sorted(p.name for p in (folder / self.below).iterdir() if p.name.startswith("."))


@dataclass(frozen=True, slots=True)
class Sinks:
    """The destinations of a house, by their kind, and the ports of this machine that they are at."""

    kinds: Mapping[str, SinkKind]
    ports: tuple[int, ...]


@asynccontextmanager
async def near(folder: Path) -> AsyncIterator[Sinks]:
    """Give a folder and a WebDAV server to the houses in a folder."""
    async with webdav_sink(folder) as dav:

        def address(chain: Path) -> dict[str, str]:
            return {"url": f"{dav.url}{chain.name}/cloud/", "username": dav.username}

        kinds = {
            "folder": SinkKind("Archive", "archive", lambda chain: {"path": str(chain / "archive")}, {}),
            "webdav": SinkKind("Cloud", "cloud", address, {"password": dav.password}),
        }
        yield Sinks(kinds, (_port(dav.url),))


@asynccontextmanager
async def consumed(folder: Path) -> AsyncIterator[Sinks]:
    """Give a folder to the houses in a folder, from which somebody takes what arrives, after each life."""
    yield Sinks(
        {"folder": SinkKind("Archive", "archive", lambda chain: {"path": str(chain / "archive")}, {}, taken=TAKEN)},
        (),
    )


@asynccontextmanager
async def far(folder: Path) -> AsyncIterator[Sinks]:
    """Give an SFTP server and an S3 store to the houses in a folder."""
    async with sftp_peers.in_process(folder, served=folder) as (server, _), s3_sink() as store:
        login = server.login
        host = {"host": login.host, "port": str(login.port), "username": login.username, "host_key": login.host_key}
        bucket = {"endpoint": store.url, "bucket": store.bucket, "access_key": store.access_key}
        kinds = {
            "sftp": SinkKind(
                "Attic", "sftp", lambda chain: host | {"path": f"/{chain.name}/sftp"}, {"password": login.password}
            ),
            "s3": SinkKind(
                "Bucket",
                "s3",
                lambda chain: bucket | {"prefix": chain.name},
                {"secret_key": store.secret_key},
                lambda chain: _objects(store, chain),
            ),
        }
        yield Sinks(kinds, (login.port, _port(store.url)))


def _objects(store: S3Sink, chain: Path) -> None:
    """Write down what the store has for a chain: objects, and uploads that were left open."""
    for path in (chain / "s3").iterdir():
        path.unlink()
    for key, data in store.objects().items():
        prefix, _, name = key.rpartition("/")
        if prefix == chain.name:
            (chain / "s3" / name).write_bytes(data)
    for key in store.uploads():
        prefix, _, name = key.rpartition("/")
        if prefix == chain.name:
            (chain / "s3" / f".{name}").touch()


def _port(url: str) -> int:
    port = URL(url).port
    if port is None:
        raise RuntimeError("a sink without a port")
    return port
